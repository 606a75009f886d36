"""The asset ``docker_image_pulls``: what it records, here and in a process of its own, and how it fails."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform.defs.docker_hub import docker_image_pulls
from taxi_platform.orchestration.resources import DockerHub
from taxi_platform_tests.support.shell import typed
from taxi_platform_tests.support.trip_server import Answer, TripServer

KESTRA = "/v2/repositories/kestra/kestra/"
PYTHON = "/v2/repositories/library/python/"
HERE_OR_APART = pytest.mark.parametrize("isolated", [False, True], ids=["here", "in a process of its own"])


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


@HERE_OR_APART
def test_the_count_and_the_seconds_are_numbers_to_be_plotted(server: TripServer, isolated: bool) -> None:
    server.publish(KESTRA, counted(1_234_567))
    metadata = recorded(run(server, isolated=isolated))
    assert metadata["pulls"] == dg.MetadataValue.int(1_234_567)
    assert isinstance(metadata["seconds"], dg.FloatMetadataValue)
    assert 0 < (metadata["seconds"].value or 0) < 60
    assert metadata["image"].value == "kestra/kestra"


def test_the_address_is_not_in_the_command_of_the_process(server: TripServer, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    real = subprocess.Popen

    def popen(command: Any, **options: Any) -> "subprocess.Popen[bytes]":
        commands.append(str(command))
        return real(command, **options)

    monkeypatch.setattr("dagster._core.pipes.subprocess.Popen", popen)
    server.publish(KESTRA, counted(3))
    assert recorded(run(server, isolated=True))["pulls"] == dg.MetadataValue.int(3)
    (command,) = commands
    assert server.url not in command


@HERE_OR_APART
def test_an_official_image_is_asked_for_by_its_short_name(server: TripServer, isolated: bool) -> None:
    server.publish(PYTHON, counted(2**40))
    assert recorded(run(server, image="python", isolated=isolated))["pulls"].value == 2**40


@HERE_OR_APART
def test_an_image_that_does_not_exist_is_told_in_one_sentence(server: TripServer, isolated: bool) -> None:
    assert failure(run(server, image="nobody/nothing", isolated=isolated)) == (
        f"nobody/nothing: {server.url}/v2/repositories/nobody/nothing/ answers 404 Not Found. "
        "Docker Hub has no such image, or it is private: check its name."
    )


@HERE_OR_APART
def test_a_name_that_means_nothing_is_told_and_nobody_is_asked(server: TripServer, isolated: bool) -> None:
    assert "image 'no such name': names consist of lower-case" in failure(
        run(server, image="no such name", isolated=isolated)
    )
    assert server.requests == []


@HERE_OR_APART
def test_a_trouble_that_passes_is_waited_out(server: TripServer, isolated: bool) -> None:
    server.publish(KESTRA, counted(5))
    server.script(KESTRA, Answer(status=429, headers={"Retry-After": "1"}))
    assert recorded(run(server, isolated=isolated))["pulls"].value == 5
    first, second = server.requests
    assert second.at - first.at >= 1


@pytest.mark.parametrize("pulls", [None, "many", -3])
def test_an_answer_without_a_count_is_told(server: TripServer, pulls: Any) -> None:
    server.publish(KESTRA, counted(pulls))
    assert "kestra/kestra: its pull_count is not a count" in failure(run(server))


def test_the_program_runs_by_itself_in_any_folder(server: TripServer, tmp_path: Path) -> None:
    server.publish(KESTRA, counted(1_234_567))
    _, *typed_as = shlex.split("python -m taxi_platform.course.docker_hub kestra/kestra")
    program = [sys.executable, *typed_as[:-1], "--base-url", server.url]
    done = subprocess.run([*program, typed_as[-1]], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.stdout.startswith("kestra/kestra: 1,234,567 pulls (asked in ")
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([*program, "nobody/nothing"], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.stderr.startswith("Error: nobody/nothing: http://")
    assert (done.returncode, done.stdout) == (1, "")


def test_the_command_line_counts_the_default_image(server: TripServer, database: str, tmp_path: Path) -> None:
    server.publish(KESTRA, counted(99))
    command = "dagster asset materialize --select docker_image_pulls"
    done = typed(command, tmp_path, TAXI_POSTGRES_URL=database, TAXI_DOCKER_HUB_URL=server.url)
    assert done.returncode == 0, done.stdout
    assert [request.path for request in server.requests] == [KESTRA]
