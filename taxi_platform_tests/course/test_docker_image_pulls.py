"""The asset ``docker_image_pulls``: valid names, what it records, the child process, and failures."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.course.docker_hub import pulls_of, repository
from taxi_platform.defs.course import docker_image_pulls
from taxi_platform.errors import DamagedFile, InvalidSetting
from taxi_platform.orchestration.resources import DockerHub
from taxi_platform_tests.support.shell import typed
from taxi_platform_tests.support.trip_server import Answer, TripServer

KESTRA = "/v2/repositories/kestra/kestra/"
OWNERS = st.from_regex(r"[a-z0-9]{1,9}([_-][a-z0-9]{1,9}){0,2}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]{1,9}([._-][a-z0-9]{1,9}){0,2}", fullmatch=True)


def counted(pulls: Any) -> bytes:
    return json.dumps({"user": "kestra", "name": "kestra", "pull_count": pulls}).encode()


def run(server: TripServer, **config: Any) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [docker_image_pulls],
        resources={"docker_hub": DockerHub(server.url)},
        run_config={"ops": {"docker_image_pulls": {"config": config}}},
        raise_on_error=False,
    )


def recorded(done: dg.ExecuteInProcessResult) -> dict[str, dg.MetadataValue[Any]]:
    (event,) = done.get_asset_materialization_events()
    return dict(event.materialization.metadata)


def failure(done: dg.ExecuteInProcessResult) -> str:
    assert done.get_asset_materialization_events() == []
    (event,) = done.get_step_failure_events()
    described = event.step_failure_data.user_failure_data
    assert described
    return described.description or ""


def test_the_count_and_the_seconds_are_recorded_as_numbers(server: TripServer) -> None:
    server.publish(KESTRA, counted(1_234_567))
    metadata = recorded(run(server))
    assert metadata["pulls"] == dg.MetadataValue.int(1_234_567)
    assert isinstance(metadata["seconds"], dg.FloatMetadataValue)
    assert 0 < (metadata["seconds"].value or 0) < 60
    assert metadata["image"].value == "kestra/kestra"


def test_an_image_that_does_not_exist_is_reported(server: TripServer) -> None:
    assert failure(run(server, image="nobody/nothing")) == (
        f"nobody/nothing: {server.url}/v2/repositories/nobody/nothing/ answers 404 Not Found. "
        "Docker Hub has no such image, or it is private: check its name."
    )


def test_an_invalid_name_is_refused_without_a_request(server: TripServer) -> None:
    assert "image 'no such name': Docker Hub cannot have an image of this name" in failure(
        run(server, image="no such name")
    )
    assert server.requests == []


def test_a_transient_failure_is_retried(server: TripServer, no_waits: list[float]) -> None:
    server.publish(KESTRA, counted(5))
    server.script(KESTRA, Answer(status=429, headers={"Retry-After": "7"}))
    assert recorded(run(server))["pulls"].value == 5
    assert no_waits == [7.0]


def test_a_child_process_asks_the_server_of_the_settings(server: TripServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_DOCKER_HUB_URL", server.url)
    server.publish(KESTRA, counted(1_234_567))
    assert recorded(run(server, isolated=True))["pulls"] == dg.MetadataValue.int(1_234_567)
    reason = failure(run(server, image="nobody/nothing", isolated=True))
    assert reason.startswith(f"nobody/nothing: {server.url}/v2/repositories/nobody/nothing/ answers 404 Not Found. ")


def test_the_command_line_counts_the_default_image(server: TripServer, state_database: str, tmp_path: Path) -> None:
    server.publish(KESTRA, counted(99))
    command = "dagster asset materialize --select docker_image_pulls"
    done = typed(command, tmp_path, TAXI_POSTGRES_URL=state_database, TAXI_DOCKER_HUB_URL=server.url)
    assert done.returncode == 0, done.stdout
    assert [request.path for request in server.requests] == [KESTRA]


def test_the_program_runs_in_any_folder(server: TripServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_DOCKER_HUB_URL", server.url)
    server.publish(KESTRA, counted(1_234_567))
    _, *program = shlex.split("python -m taxi_platform.course.docker_hub kestra/kestra")
    done = subprocess.run([sys.executable, *program], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.stdout.startswith("kestra/kestra: 1,234,567 pulls (asked in ")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("kestra/kestra", "kestra/kestra"),
        ("python", "library/python"),
        ("library/python", "library/python"),
        (" dagster/dagster-k8s ", "dagster/dagster-k8s"),
        ("a__b/c--d.e", "a__b/c--d.e"),
    ],
)
def test_an_image_belongs_to_its_repository(image: str, expected: str) -> None:
    assert repository(image) == expected


@given(OWNERS, NAMES)
def test_every_name_that_docker_allows_is_allowed(owner: str, name: str) -> None:
    assert repository(f"{owner}/{name}") == f"{owner}/{name}"


@given(st.text())
def test_no_name_leads_to_another_path_of_the_server(image: str) -> None:
    try:
        owner, name = repository(image).split("/")
    except InvalidSetting:
        return
    assert not set(owner + name) - set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert {owner, name} & {".", "..", ""} == set()


NOT_NAMES = ["", "  ", "x" * 256, "python:3.12", "kestra/kestra@sha256:ab", "ghcr.io/owner/name", "ghcr.io/name"]
NOT_NAMES += ["Kestra/Kestra", "../../secrets", "a/..", "/python", "python/", "what is this?"]
NOT_COUNTS = ["12", 1.5, None, True, -1, "x" * 10_000]


@pytest.mark.parametrize("image", NOT_NAMES)
def test_a_name_that_no_image_can_have_is_refused(image: str) -> None:
    with pytest.raises(InvalidSetting, match="Write owner/name, as in kestra/kestra") as raised:
        repository(image)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("answer", [[], None, "text", {}, *({"pull_count": count} for count in NOT_COUNTS)])
def test_a_response_without_a_count_is_refused(answer: Any) -> None:
    with pytest.raises(DamagedFile, match="kestra/kestra: Docker Hub's answer has no count of pulls") as raised:
        pulls_of(answer, "kestra/kestra")
    assert len(str(raised.value)) < 200
