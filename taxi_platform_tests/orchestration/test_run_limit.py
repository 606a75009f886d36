"""The limit on the runs of a job: counted exactly, by job, and without the runs whose process is gone."""

import json
import socket
from collections.abc import Iterator
from functools import partial

import dagster as dg
import psutil
import pytest

from taxi_platform.ledger.heartbeats import key_of
from taxi_platform.orchestration.run_limit import ADMITTED, admit
from taxi_platform_tests.support.asset_runs import instance_in_memory

LIMITS = {at_once: partial(admit, at_once=at_once, tag="when_full") for at_once in (1, 2)}


def started(instance: dg.DagsterInstance, job: str = "hello_world", **tags: str) -> dg.DagsterRun:
    definition = dg.job(name=job)(lambda: None)
    return instance.create_run_for_job(definition, status=dg.DagsterRunStatus.STARTED, tags=tags)


@pytest.fixture
def in_memory() -> Iterator[dg.DagsterInstance]:
    with instance_in_memory() as opened:
        yield opened


def test_a_run_beyond_the_limit_is_refused_until_another_has_ended(in_memory: dg.DagsterInstance) -> None:
    first, second, third = (started(in_memory) for _ in range(3))
    for run in (first, second, second):  # once for each step
        LIMITS[2](in_memory, run)
    with pytest.raises(dg.Failure, match=r"hello_world \(at most 2 runs at once\): that many are running already"):
        LIMITS[2](in_memory, third)
    in_memory.report_run_canceled(first)
    LIMITS[2](in_memory, third)


def test_runs_of_another_job_do_not_count(in_memory: dg.DagsterInstance) -> None:
    LIMITS[1](in_memory, started(in_memory))
    LIMITS[1](in_memory, started(in_memory, job="another"))


def test_a_retry_that_inherits_the_tags_of_its_run_is_not_admitted_by_them(in_memory: dg.DagsterInstance) -> None:
    admitted = started(in_memory)
    LIMITS[1](in_memory, admitted)
    with pytest.raises(dg.Failure):
        LIMITS[1](in_memory, started(in_memory, **{ADMITTED: admitted.run_id}))


def test_a_run_whose_process_on_this_machine_is_gone_does_not_count(in_memory: dg.DagsterInstance) -> None:
    killed = started(in_memory)
    LIMITS[1](in_memory, killed)
    gone = max(psutil.pids()) + 100_000
    heartbeat = json.dumps({"host": socket.gethostname(), "pid": gone, "beat": 3})
    in_memory.daemon_cursor_storage.set_cursor_values({key_of(killed.run_id): heartbeat})
    LIMITS[1](in_memory, started(in_memory))


def test_a_run_that_waits_logs_it_once_and_continues_when_another_ends(
    in_memory: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "taxi_platform")
    first, second = started(in_memory), started(in_memory, when_full="queue")
    LIMITS[1](in_memory, first)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            in_memory.report_run_canceled(first)

    monkeypatch.setattr("taxi_platform.retries.sleep", sleep)
    LIMITS[1](in_memory, second)
    assert len(waits) == 3
    text = "hello_world (at most 1 runs at once): that many are running already; waiting until one ends"
    assert [message for message in caplog.messages if "running already" in message] == [text]
