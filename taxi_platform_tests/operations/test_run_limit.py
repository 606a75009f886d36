"""The limit on the runs of a job: counted exactly, by job, and without the runs whose process is gone."""

import json
import socket

import dagster as dg
import psutil
import pytest

from taxi_platform.errors import InvalidSetting, TooManyRuns
from taxi_platform.ledger.heartbeats import key_of
from taxi_platform.operations.run_limit import ADMITTED, admit, when_full
from taxi_platform_tests.support.shell import instance

ADVICE = "Wait."


def started(state: dg.DagsterInstance, job: str = "hello_world", **tags: str) -> dg.DagsterRun:
    definition = dg.job(name=job)(lambda: None)
    return state.create_run_for_job(definition, status=dg.DagsterRunStatus.STARTED, tags=tags)


@pytest.fixture(params=["PostgreSQL", "memory"])
def state(request: pytest.FixtureRequest) -> dg.DagsterInstance:
    if request.param == "memory":
        return request.getfixturevalue("in_memory")
    return request.getfixturevalue("in_postgres")


@pytest.fixture
def in_memory():
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def in_postgres(database: str):
    with instance(database) as opened:
        yield opened


def test_a_run_beyond_the_limit_is_refused_until_another_has_ended(state: dg.DagsterInstance) -> None:
    first, second, third = (started(state) for _ in range(3))
    for run in (first, second, second):  # each of its steps asks
        admit(state, run, 2, "fail", ADVICE)
    with pytest.raises(
        TooManyRuns, match=r"hello_world \(at most 2 runs at once\): that many are at it already\. Wait\."
    ):
        admit(state, third, 2, "fail", ADVICE)
    state.report_run_canceled(first)
    admit(state, third, 2, "fail", ADVICE)


def test_runs_of_another_job_do_not_count(state: dg.DagsterInstance) -> None:
    admit(state, started(state), 1, "fail", ADVICE)
    admit(state, started(state, job="another"), 1, "fail", ADVICE)


def test_a_retry_that_inherits_the_tags_of_its_run_is_not_admitted_by_them(state: dg.DagsterInstance) -> None:
    admitted = started(state)
    admit(state, admitted, 1, "fail", ADVICE)
    with pytest.raises(TooManyRuns):
        admit(state, started(state, **{ADMITTED: admitted.run_id}), 1, "fail", ADVICE)


def test_a_run_whose_process_on_this_machine_is_gone_does_not_count(state: dg.DagsterInstance) -> None:
    killed = started(state)
    admit(state, killed, 1, "fail", ADVICE)
    gone = max(psutil.pids()) + 100_000
    heartbeat = json.dumps({"host": socket.gethostname(), "pid": gone, "beat": 3})
    state.daemon_cursor_storage.set_cursor_values({key_of(killed.run_id): heartbeat})
    admit(state, started(state), 1, "fail", ADVICE)


def test_a_run_that_waits_says_so_once_and_goes_on_when_another_ends(
    in_memory: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "taxi_platform")
    first, second = started(in_memory), started(in_memory)
    admit(in_memory, first, 1, "fail", ADVICE)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            in_memory.report_run_canceled(first)

    monkeypatch.setattr("taxi_platform.retries.sleep", sleep)
    admit(in_memory, second, 1, "queue", ADVICE)
    assert len(waits) == 3
    text = "hello_world (at most 1 runs at once): that many are at it already; waiting until one ends"
    assert [message for message in caplog.messages if "at it already" in message] == [text]


@pytest.mark.parametrize("text", ["Fail", "wait", ""])
def test_a_tag_that_means_nothing_is_named(text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"the tag a/b={text}: it is neither fail nor queue"):
        when_full(text, "a/b")
    assert [when_full(choice, "a/b") for choice in ("fail", "queue")] == ["fail", "queue"]
