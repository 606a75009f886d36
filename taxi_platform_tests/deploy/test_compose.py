"""docker-compose.yml without Docker: ports, passwords, images, users, networks, volumes and health checks."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from taxi_platform.postgres.embedded.cluster import configuration
from taxi_platform.settings import PROJECT, CloudSettings, Settings
from taxi_platform_tests.support import compose
from taxi_platform_tests.support.compose import NotSet, filled
from taxi_platform_tests.support.shell import variables
from taxi_platform_tests.support.stack import PASSWORDS

GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"
FILE = compose.read()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("taxi-platform:")}
EMULATORS = {name: one for name, one in SERVICES.items() if one["image"].startswith("taxi-emulators:")}
VARIABLES = {found["name"]: found for found in compose.VARIABLE.finditer(compose.FILE.read_text()) if found["name"]}


def test_it_follows_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(compose.FILE)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_variable_is_explained_in_the_example_with_the_default_that_it_has() -> None:
    example = compose.in_env_example()
    assert set(VARIABLES) <= set(example)
    defaults = {name: found["rest"] for name, found in VARIABLES.items() if found["how"] == ":-" and found["rest"]}
    assert defaults.pop("GOOGLE_APPLICATION_CREDENTIALS") == "/dev/null"  # no file
    assert {name: example[name] for name in defaults} == defaults


@pytest.mark.parametrize("name", PASSWORDS)
def test_nothing_starts_without_the_passwords(name: str) -> None:
    with pytest.raises(NotSet, match=f"{name}: set it in .env"):
        compose.services(PASSWORDS | {name: ""})


def test_no_password_has_a_default() -> None:
    secrets = {name: found for name, found in VARIABLES.items() if re.search("PASSWORD|HASH|CREDS|KEY", name)}
    assert set(secrets) > set(PASSWORDS)
    assert {name for name, found in secrets.items() if found["how"] == ":-" and found["rest"]} == set()
    assert all(not (value or "").strip("…$2a14") for name, value in compose.in_env_example().items() if name in secrets)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.match(r"\d+\.\d+", tag), SERVICES[name]["image"]


def test_ports_are_open_to_this_machine_alone() -> None:
    published = [port for one in SERVICES.values() for port in one.get("ports", [])]
    assert len(published) >= 6
    assert [port for port in published if not re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+", port)] == []
    assert not any(one.get("network_mode") or one.get("privileged") for one in SERVICES.values())


def test_services_wait_until_the_services_they_need_are_healthy() -> None:
    conditions = {
        (name, other): how["condition"]
        for name, one in SERVICES.items()
        for other, how in one.get("depends_on", {}).items()
    }
    assert {("code", "postgres"), ("web", "code"), ("daemon", "code"), ("login", "web-read-only")} <= set(conditions)
    assert set(conditions.values()) == {"service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check_comes_back_and_keeps_its_log_small(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


def test_services_of_ours_are_one_image_without_the_rights_of_root() -> None:
    assert set(OURS) == {"code", "web", "daemon", "web-read-only"}
    for service in OURS.values():
        extras = {"EXTRAS": "${TAXI_EXTRAS:-all}"}
        assert service["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile", "args": extras}
        assert service["image"] == OURS["code"]["image"]
        assert "user" not in service


def test_the_emulators_are_one_image_without_the_rights_of_root_and_share_their_data() -> None:
    assert set(EMULATORS) == {"storage", "bigquery"}
    for service in EMULATORS.values():
        assert service["build"] == {"context": ".", "dockerfile": "deploy/emulators/Dockerfile"}
        assert service["volumes"] == ["google:/google"]


def test_services_of_ours_see_each_others_logs_and_only_the_code_location_the_files() -> None:
    assert all("logs:/opt/dagster/storage" in service["volumes"] for service in OURS.values())
    assert [name for name, service in OURS.items() if "data:/data" in service["volumes"]] == ["code"]


def test_every_setting_reaches_the_code_location_and_the_other_services_get_only_what_they_need() -> None:
    settings = variables(Settings) | variables(CloudSettings)
    given = set(OURS["code"]["environment"]) | {"TAXI_DATA_DIR"}  # which the image sets
    assert settings - given == set(), "add them to x-code in docker-compose.yml"
    needed = {"TAXI_DAGSTER_POSTGRES_URL", "TAXI_CODE_HOST", "TAXI_CODE_PORT", "TAXI_WEB_URL", "TAXI_ALLOWED_HOSTS"}
    for name in ("web", "web-read-only", "daemon"):
        assert set(OURS[name]["environment"]) == needed
    secrets = {name for name, one in SERVICES.items() if "TAXI_DB_PASSWORD" in str(one)}
    assert secrets == {"postgres", "code"}


def test_only_the_code_location_gets_the_file_of_googles_credentials() -> None:
    assert {name: one["secrets"] for name, one in SERVICES.items() if "secrets" in one} == {"code": ["google"]}
    assert [name for name, one in SERVICES.items() if "GOOGLE" in str(one)] == ["code"]
    for values, file, inside in (
        ({}, "/dev/null", ""),
        ({GOOGLE: "/etc/g.json"}, "/etc/g.json", "/run/secrets/google"),
    ):
        assert filled(FILE["secrets"], values) == {"google": {"file": file}}
        assert compose.services(PASSWORDS | values)["code"].environment[GOOGLE] == inside


def test_only_the_web_servers_and_the_daemon_reach_the_port_that_runs_code() -> None:
    members: dict[str, set[str]] = {}
    for name, one in SERVICES.items():
        for network in one["networks"]:
            members.setdefault(network, set()).add(name)
    assert members == {
        "database": {"postgres", "code", "web", "web-read-only", "daemon"},
        "grpc": {"code", "web", "web-read-only", "daemon"},
        "login": {"login", "web", "web-read-only"},
        "pgadmin": {"pgadmin", "postgres"},
        "emulators": {"storage", "bigquery", "code"},
    }
    assert set(FILE["networks"]) == set(members)
    # It listens only on its address in the network grpc.
    assert OURS["code"]["networks"]["grpc"] == {"aliases": ["code-grpc"]}
    assert "--host code-grpc --port 4000" in OURS["code"]["command"]
    assert "ports" not in OURS["code"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_few_privileges(name: str) -> None:
    service = SERVICES[name]
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    needed = {"postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}}
    assert set(service.get("cap_add", ())) <= needed.get(name, {"NET_BIND_SERVICE"})


def test_root_file_systems_are_read_only_but_those_of_pgadmin_and_the_emulators() -> None:
    """Exempt pgAdmin, which writes beside its program, and the emulators, whose files are not known."""
    assert {name for name, one in SERVICES.items() if not one.get("read_only")} == {"pgadmin", *EMULATORS}
    assert all(one["tmpfs"] == ["/tmp"] for one in OURS.values())


def test_a_setting_that_is_not_set_is_absent_and_one_that_is_arrives() -> None:
    code = compose.services(PASSWORDS | {"TAXI_SOURCE": "sample:0.1"})["code"].environment
    assert code["TAXI_SOURCE"] == "sample:0.1"
    assert "TAXI_FIRST_MONTH" not in code
    assert code["TAXI_POSTGRES_URL"] == "postgresql://taxi:tr1ps@postgres:5432/ny_taxi"


def test_volumes_are_declared_and_mounted_files_exist_and_are_read_only() -> None:
    mounts = [text.split(":") for one in SERVICES.values() for text in one.get("volumes", [])]
    named = {mount[0] for mount in mounts if not mount[0].startswith("./")}
    files = [mount for mount in mounts if mount[0].startswith("./")]
    assert named == set(FILE["volumes"])
    assert all((PROJECT / source).is_file() and how == ["ro"] for source, _, *how in files)


def test_postgres_is_set_as_the_embedded_server_is() -> None:
    ours = dict(re.findall(r"-c (\w+)=(\S+)", SERVICES["postgres"]["command"]))
    embedded = dict(re.findall(r"^(\w+) = '(.*)'$", configuration(5432), re.MULTILINE))
    others = r"listen_addresses|unix_socket_directories|port|cluster_name|password_encryption|\w*timezone|lc_\w+|log\w+"
    assert ours.pop("max_connections") == "100"
    assert embedded.pop("max_connections") == "50"
    assert ours == {name: value for name, value in embedded.items() if not re.fullmatch(others, name)}


@pytest.mark.parametrize(
    ("profiles", "names"),
    [
        ([], {"postgres", "code", "web", "daemon"}),
        (["auth"], {"postgres", "code", "web", "daemon", "web-read-only", "login"}),
        (["pgadmin"], {"postgres", "code", "web", "daemon", "pgadmin"}),
        (["gcp"], {"postgres", "code", "web", "daemon", "storage", "bigquery"}),
    ],
)
def test_a_profile_adds_its_services(profiles: list[str], names: set[str]) -> None:
    assert set(compose.services(PASSWORDS, profiles)) == names


def test_the_example_names_the_emulators_addresses() -> None:
    text = compose.EXAMPLE.read_text(encoding="utf-8")
    for name in ("storage", "bigquery"):
        port = SERVICES[name]["ports"][0].rpartition(":")[2]
        assert f"http://{name}:{port}" in text


def test_the_location_has_the_name_that_the_project_gives_it() -> None:
    (location,) = yaml.safe_load((PROJECT / "deploy/workspace.yaml").read_text())["load_from"]
    server = location["grpc_server"]
    assert server["location_name"] == "taxi_platform"
    assert "--location-name taxi_platform" in OURS["code"]["command"]
    assert (server["host"], server["port"]) == ({"env": "TAXI_CODE_HOST"}, {"env": "TAXI_CODE_PORT"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$${A}", "${A}"),
        ("${A}${B:-2}", "12"),
        ("${A:-2}", "1"),
        ("${A:+2}${B:+3}", "2"),
        ("${EMPTY:-3}", "3"),
        ("${B}", ""),
        ("${A:?why}", "1"),
        (3, 3),
        (None, None),
        ({"a": ["${A}"]}, {"a": ["1"]}),
    ],
)
def test_variables_are_filled_in_as_compose_does_it(text: object, value: object) -> None:
    assert filled(text, {"A": "1", "EMPTY": ""}) == value


@pytest.mark.parametrize("text", ["${B:?set it}", "${EMPTY:?set it}"])
def test_a_variable_that_must_be_set_stops_everything(text: str) -> None:
    with pytest.raises(NotSet, match="set it"):
        filled(text, {"EMPTY": ""})
