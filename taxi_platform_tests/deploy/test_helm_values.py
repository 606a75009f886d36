"""The values for Dagster's Helm chart, checked with Dagster's own classes instead of a cluster.

Kubernetes' client takes long to import, so only the process that runs these tests does it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import dagster as dg
import pytest
import yaml
from dagster._cli.api import grpc_command
from dagster._config import process_config, resolve_to_config_type
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

from taxi_platform.defs.jobs import loading_job
from taxi_platform.settings import PROJECT, CloudSettings, Settings
from taxi_platform.trips.services import GREEN, SERVICES, YELLOW
from taxi_platform_tests.support import compose
from taxi_platform_tests.support.shell import variables

if TYPE_CHECKING:
    from dagster_k8s import K8sRunLauncher

VALUES: dict[str, Any] = yaml.safe_load((PROJECT / "deploy/helm/values.yaml").read_text())
GOOGLE: dict[str, Any] = yaml.safe_load((PROJECT / "deploy/helm/google.yaml").read_text())
(CODE,) = VALUES["dagster-user-deployments"]["deployments"]
RUNS = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
INSTANCE = VALUES["additionalInstanceConfig"]
POLICIES: list[dict[str, Any]] = list(yaml.safe_load_all((PROJECT / "deploy/helm/policies.yaml").read_text()))
# Fields of the chart's published schema (helm/dagster/schema in Dagster's repository), which forbids others.
POD = {
    "image",
    "env",
    "envConfigMaps",
    "envSecrets",
    "annotations",
    "labels",
    "nodeSelector",
    "affinity",
    "tolerations",
}
POD |= {"podSecurityContext", "securityContext", "resources", "volumes", "volumeMounts", "schedulerName"}
POD |= {"readinessProbe", "livenessProbe", "startupProbe"}
FIELDS = {
    "chart": {"global", "postgresql", "generatePostgresqlPasswordSecret", "dagster-user-deployments", "runLauncher"}
    | {"dagsterWebserver", "dagsterDaemon", "retention", "telemetry", "additionalInstanceConfig"}
    | {"serviceAccount", "computeLogManager"},
    "dagster-user-deployments": {"enabled", "enableSubchart", "deployments", "serviceAccount", "imagePullSecrets"},
    "k8sRunLauncher": POD
    | {"imagePullPolicy", "jobNamespace", "loadInclusterConfig", "envVars", "failPodOnRunFailure", "runK8sConfig"},
    "runK8sConfig": {"containerConfig", "podSpecConfig", "podTemplateSpecMetadata", "jobSpecConfig", "jobMetadata"},
    "deployment": POD | {"name", "port", "dagsterApiGrpcArgs", "includeConfigInLaunchedRuns"},
    "dagsterWebserver": POD | {"replicaCount", "service", "workspace", "pathPrefix", "enableReadOnly"},
    "dagsterDaemon": POD | {"enabled", "runCoordinator", "runMonitoring", "runRetries", "sensors", "schedules"},
}
KUBECONFIG = {
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "users": [{"name": "none", "user": {}}],
    "current-context": "none",
}


def snake(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with the keys that the chart's templates write into dagster.yaml, one level deep."""
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
def launcher(tmp_path: Path) -> "K8sRunLauncher":
    from dagster_k8s import K8sRunLauncher

    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG))
    return K8sRunLauncher(**launcher_config(), kubeconfig_file=str(tmp_path / "kubeconfig"))


def test_the_instance_is_limited_watched_and_retried_as_dagster_yaml_says() -> None:
    own = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    assert {key: own[key] for key in INSTANCE} == INSTANCE
    replaced = {"storage", "run_launcher", "telemetry", "nux"}  # the chart has its own, or has no field for them
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


def test_on_gke_runs_and_readers_of_their_output_are_accounts_of_google_cloud_without_a_key() -> None:
    accounts = [GOOGLE["dagster-user-deployments"]["serviceAccount"], GOOGLE["serviceAccount"]]
    assert [one["name"] for one in accounts] == ["taxi-platform", "taxi-logs"]
    for one in accounts:
        account = one["annotations"]["iam.gke.io/gcp-service-account"]
        assert re.fullmatch(rf"{one['name']}@[\w-]+\.iam\.gserviceaccount\.com", account)


def test_dagster_accepts_the_place_of_the_runs_output_on_gke() -> None:
    chosen = GOOGLE["computeLogManager"]
    (name,) = chosen["config"]
    assert name.lower() == chosen["type"].lower()
    from dagster_gcp.gcs import GCSComputeLogManager

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


def test_the_variables_of_the_code_server_are_settings_and_not_secrets() -> None:
    assert set(CODE["env"]) <= variables(Settings) | variables(CloudSettings)
    assert not [name for name in CODE["env"] if re.search("URL|KEY|CREDS|PASSWORD", name)]
    assert CODE["image"]["tag"] == compose.read()["services"]["code"]["image"].rpartition(":")[2]


def test_every_value_is_a_field_of_the_chart() -> None:
    sections = {**VALUES, "chart": VALUES | GOOGLE, "deployment": CODE}
    sections |= {"k8sRunLauncher": RUNS, "runK8sConfig": RUNS["runK8sConfig"]}
    assert [set(sections[name]) - fields for name, fields in FIELDS.items()] == [set()] * len(FIELDS)
    assert CODE["startupProbe"]["enabled"], "the chart leaves the probe out otherwise"


def model(kind: str, values: dict[str, Any]) -> Any:
    """Return the values as an object of Kubernetes' client, which refuses unknown and missing fields."""
    from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict
    from kubernetes import client

    model = getattr(client, kind)
    return k8s_model_from_dict(model, k8s_snake_case_dict(model, values))


def test_what_the_chart_copies_into_pods_are_fields_of_kubernetes() -> None:
    model("V1Probe", {key: value for key, value in CODE["startupProbe"].items() if key != "enabled"})
    for section in (CODE, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"]):
        model("V1ResourceRequirements", section["resources"])
        pod = model("V1PodSecurityContext", section["podSecurityContext"])
        assert pod.seccomp_profile.type == "RuntimeDefault"
        allowed = model("V1SecurityContext", section["securityContext"])
        assert (allowed.allow_privilege_escalation, allowed.capabilities.drop) == (False, ["ALL"])
    claim = yaml.safe_load((PROJECT / "deploy/helm/data.yaml").read_text())
    assert (
        model("V1PersistentVolumeClaim", claim).metadata.name
        == CODE["volumes"][0]["persistentVolumeClaim"]["claimName"]
    )
    with pytest.raises(Exception, match="Unexpected keys"):
        model("V1SecurityContext", {"readOnlyRootFileSystem": True})


def test_only_the_web_server_and_the_daemon_reach_the_code_and_no_run_is_evicted(launcher: "K8sRunLauncher") -> None:
    kinds = {"NetworkPolicy": "V1NetworkPolicy", "PodDisruptionBudget": "V1PodDisruptionBudget"}
    made = {(one["kind"], one["metadata"]["name"]): model(kinds[one["kind"]], one) for one in POLICIES}
    code = made["NetworkPolicy", "taxi-platform-code"].spec
    (rule,) = code.ingress
    assert [port.port for port in rule.ports] == [CODE["port"]]
    assert rule._from[0].pod_selector.match_expressions[0].values == ["dagster-webserver", "dagster-daemon"]
    labels = job_of(launcher)["spec"]["template"]["metadata"]["labels"]
    for kind in kinds:
        spec = made[kind, "taxi-platform-runs"].spec
        selector = spec.pod_selector if kind == "NetworkPolicy" else spec.selector
        assert selector.match_labels.items() <= labels.items()
    assert made["NetworkPolicy", "taxi-platform-runs"].spec.ingress is None


def test_the_job_of_a_service_asks_for_what_its_months_need(launcher: "K8sRunLauncher") -> None:
    asked = {}
    for service in SERVICES.values():
        (container,) = job_of(launcher, loading_job(service).tags)["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["requests"]["memory"] == f"{service.run_memory_mib}Mi"
        assert container["resources"]["limits"]["memory"] == f"{2 * service.run_memory_mib}Mi"
        asked[service.name] = service.run_memory_mib
    assert asked[GREEN.name] < asked[YELLOW.name]
    default = CODE["resources"]["requests"]["memory"]
    assert int(default.removesuffix("Mi")) >= asked[YELLOW.name], "backfills of assets have no job of a service"


def job_of(launcher: "K8sRunLauncher", tags: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the Kubernetes job that a run with these tags becomes."""
    shared = {
        "image_pull_policy": CODE["image"]["pullPolicy"],
        "env_secrets": [one["name"] for one in CODE["envSecrets"]],
        "env_vars": [f"{name}={value}" for name, value in CODE["env"].items()],
        "volumes": CODE["volumes"],
        "volume_mounts": CODE["volumeMounts"],
        "resources": CODE["resources"],
    }
    image = f"{CODE['image']['repository']}:{CODE['image']['tag']}"
    pointer = ModuleCodePointer("taxi_platform.definitions", "defs")
    repository = RepositoryPythonOrigin("python", pointer, container_image=image, container_context={"k8s": shared})
    run = dg.DagsterRun(
        job_name="green_tripdata_job",
        job_code_origin=JobPythonOrigin("green_tripdata_job", repository),
        tags=tags or {},
    )
    context = launcher.get_container_context_for_run(run)
    config = context.get_k8s_job_config(image, launcher)
    command = ["dagster", "api", "execute_run"]
    from dagster_k8s.job import construct_dagster_k8s_job

    return construct_dagster_k8s_job(config, command, "run", context.run_k8s_config, component="run_worker").to_dict()


def test_a_run_becomes_a_job_with_the_image_the_secrets_and_the_volume_and_without_rights(
    launcher: "K8sRunLauncher",
) -> None:
    job = job_of(launcher)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"{CODE['image']['repository']}:{CODE['image']['tag']}"
    assert [one["secret_ref"]["name"] for one in container["env_from"]] == ["taxi-platform"]
    assert {one["name"]: one["value"] for one in container["env"]}["TAXI_DATA_DIR"] == "/data"
    assert {"name": "data", "mount_path": "/data"}.items() <= container["volume_mounts"][0].items()
    assert pod["volumes"][0]["persistent_volume_claim"]["claim_name"] == "taxi-platform-data"
    assert container["resources"] == CODE["resources"] | {"claims": None}
    assert container["security_context"]["allow_privilege_escalation"] is False
    assert container["security_context"]["read_only_root_filesystem"] is True
    written = {"/data", "/tmp", "/opt/dagster/dagster_home/storage"}
    assert written <= {one["mount_path"] for one in container["volume_mounts"]}
    assert job["spec"]["template"]["metadata"]["annotations"] == {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"
    }
    assert pod["security_context"]["run_as_user"] == 10001
    assert job["spec"]["ttl_seconds_after_finished"] == 86400
