"""The values for Dagster's Helm chart, as far as they can be tried without a cluster: by Dagster's own classes."""

import re
from pathlib import Path
from typing import Any

import click
import dagster as dg
import pytest
import yaml
from dagster._cli.api import grpc_command
from dagster._config import process_config, resolve_to_config_type
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster_gcp.gcs import GCSComputeLogManager
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job

from taxi_platform.settings import PROJECT, CloudSettings, Settings
from taxi_platform_tests.support import compose
from taxi_platform_tests.support.shell import variables

VALUES: dict[str, Any] = yaml.safe_load((PROJECT / "deploy/helm/values.yaml").read_text())
GOOGLE: dict[str, Any] = yaml.safe_load((PROJECT / "deploy/helm/google.yaml").read_text())
(CODE,) = VALUES["dagster-user-deployments"]["deployments"]
RUNS = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
INSTANCE = VALUES["additionalInstanceConfig"]
KUBECONFIG = {
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "users": [{"name": "none", "user": {}}],
    "current-context": "none",
}


def snake(values: dict[str, Any]) -> dict[str, Any]:
    """The keys as the chart's templates write them into dagster.yaml, one level deep."""
    return {re.sub("([A-Z])", r"_\1", key).lower(): value for key, value in values.items()}


def launcher_config() -> dict[str, Any]:
    own = {"run_k8s_config": snake(RUNS["runK8sConfig"]), "load_incluster_config": False}
    chart = {
        "dagster_home": "/opt/dagster/dagster_home",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
        "service_account_name": "dagster",
        "job_namespace": "default",
    }
    return {**snake(RUNS), **chart, **own}


@pytest.fixture
def launcher(tmp_path: Path) -> K8sRunLauncher:
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG))
    return K8sRunLauncher(**launcher_config(), kubeconfig_file=str(tmp_path / "kubeconfig"))


def test_the_instance_is_limited_watched_and_retried_as_dagster_yaml_says() -> None:
    own = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    assert {key: own[key] for key in INSTANCE} == INSTANCE
    replaced = {"storage", "run_launcher", "telemetry", "nux"}  # by the chart's, and what has no place there
    assert set(own) - set(INSTANCE) == replaced


def test_dagster_accepts_the_instance_that_follows(tmp_path: Path) -> None:
    made = {
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher_config()},
        "telemetry": VALUES["telemetry"],
        **INSTANCE,
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(made))
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["concurrency"]["pools"]["default_limit"] == 3


def test_on_gke_the_runs_and_those_who_read_their_output_are_accounts_of_google_cloud_without_a_key() -> None:
    accounts = [GOOGLE["dagster-user-deployments"]["serviceAccount"], GOOGLE["serviceAccount"]]
    assert [one["name"] for one in accounts] == ["taxi-platform", "taxi-logs"]
    for one in accounts:
        account = one["annotations"]["iam.gke.io/gcp-service-account"]
        assert re.fullmatch(rf"{one['name']}@[\w-]+\.iam\.gserviceaccount\.com", account)


def test_dagster_accepts_the_place_of_the_runs_output_on_gke() -> None:
    chosen = GOOGLE["computeLogManager"]
    (name,) = chosen["config"]
    assert name.lower() == chosen["type"].lower()
    kind = resolve_to_config_type(GCSComputeLogManager.config_type())
    checked = process_config(kind, snake(chosen["config"][name]))
    assert checked.success, checked.errors
    assert checked.value == {
        "bucket": "my-trips-123456-logs",
        "prefix": "dagster",
        "upload_interval": None,
        "show_url_only": False,
    }
    assert not process_config(kind, {"no such": "name"}).success


@pytest.mark.parametrize("knob", ["runCoordinator", "runMonitoring", "runRetries"])
def test_the_charts_own_options_are_off_where_ours_follow(knob: str) -> None:
    assert VALUES["dagsterDaemon"][knob] == {"enabled": False}
    assert VALUES["retention"] == {"enabled": False}


def test_the_code_server_takes_the_arguments_and_has_the_name_that_dg_knows() -> None:
    arguments = ["--host", "0.0.0.0", "--port", str(CODE["port"]), *CODE["dagsterApiGrpcArgs"]]
    context: click.Context = grpc_command.make_context("grpc", arguments)
    assert context.params["location_name"] == "taxi_platform"
    assert context.params["module_name"] == "taxi_platform.definitions"
    (server,) = VALUES["dagsterWebserver"]["workspace"]["servers"]
    assert server == {"host": CODE["name"], "port": CODE["port"], "name": "taxi_platform"}


def test_its_settings_are_settings_and_none_of_them_is_a_secret() -> None:
    assert set(CODE["env"]) <= variables(Settings) | variables(CloudSettings)
    assert not [name for name in CODE["env"] if re.search("URL|KEY|CREDS|PASSWORD", name)]
    assert CODE["image"]["tag"] == compose.read()["services"]["code"]["image"].rpartition(":")[2]


def test_a_run_becomes_a_job_with_the_image_the_secrets_and_the_volume_and_without_rights(
    launcher: K8sRunLauncher,
) -> None:
    shared = {
        "image_pull_policy": CODE["image"]["pullPolicy"],
        "env_secrets": [one["name"] for one in CODE["envSecrets"]],
        "env_vars": [f"{name}={value}" for name, value in CODE["env"].items()],
        "volumes": CODE["volumes"],
        "volume_mounts": CODE["volumeMounts"],
    }
    image = f"{CODE['image']['repository']}:{CODE['image']['tag']}"
    pointer = ModuleCodePointer("taxi_platform.definitions", "defs")
    repository = RepositoryPythonOrigin("python", pointer, container_image=image, container_context={"k8s": shared})
    run = dg.DagsterRun(
        job_name="green_tripdata_job", job_code_origin=JobPythonOrigin("green_tripdata_job", repository)
    )
    context = launcher.get_container_context_for_run(run)
    config = context.get_k8s_job_config(image, launcher)
    command = ["dagster", "api", "execute_run"]
    job = construct_dagster_k8s_job(config, command, "run", context.run_k8s_config).to_dict()
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == image
    assert [one["secret_ref"]["name"] for one in container["env_from"]] == ["taxi-platform"]
    assert {one["name"]: one["value"] for one in container["env"]}["TAXI_DATA_DIR"] == "/data"
    assert {"name": "data", "mount_path": "/data"}.items() <= container["volume_mounts"][0].items()
    assert pod["volumes"][0]["persistent_volume_claim"]["claim_name"] == "taxi-platform-data"
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert container["security_context"]["allow_privilege_escalation"] is False
    assert pod["security_context"]["run_as_user"] == 10001
    assert job["spec"]["ttl_seconds_after_finished"] == 86400
