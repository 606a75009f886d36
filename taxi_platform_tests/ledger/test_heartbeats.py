"""Heartbeats: when a process has missed them, by a clock that the test moves; and which processes have ended."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from queue import SimpleQueue

import dagster as dg
import psutil
import pytest

from taxi_platform.ledger.heartbeats import (
    LONGEST_GAP_SECONDS,
    START_SECONDS,
    Heartbeat,
    UnchangedTimer,
    abandoned_runs,
    key_of,
    process_named_in,
)
from taxi_platform_tests.support.asset_runs import instance_in_memory


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("observed", "unchanged_for"),
    [
        ([(15, "a")] * 5, [0, 15, 30, 45, 60]),
        ([(15, heartbeat) for heartbeat in "aaabb"], [0, 15, 30, 0, 15]),
        ([(15, None)] * 3, [0, 15, 30]),  # it never wrote a heartbeat
        ([(0, "a"), (3600, "a")], [0, LONGEST_GAP_SECONDS]),  # it was not observed for an hour
    ],
)
def test_seconds_add_up_while_the_heartbeat_does_not_change(
    observed: list[tuple[float, object]], unchanged_for: list[float]
) -> None:
    clock = Clock()
    timer = UnchangedTimer(clock)
    for (seconds, heartbeat), expected in zip(observed, unchanged_for, strict=True):
        clock.now += seconds
        assert timer.unchanged("run", heartbeat) == expected


def test_runs_are_observed_separately_and_forgotten_when_they_are_over() -> None:
    clock = Clock()
    timer = UnchangedTimer(clock)
    timer.unchanged("one", "a")
    clock.now += 10
    assert (timer.unchanged("one", "a"), timer.unchanged("two", "a")) == (10, 0)
    timer.forget("one")
    timer.forget("never seen")
    assert timer.unchanged("one", "a") == 0


def test_the_process_is_named_if_it_is_known() -> None:
    assert process_named_in('{"host": "code", "pid": 7, "beat": 3}') == "process 7 on code"
    assert process_named_in(None) == "its process"


# Processes of this machine


def record(instance: dg.DagsterInstance, minutes: float, status: dg.DagsterRunStatus) -> dg.RunRecord:
    """Return the record of a new run that seems to be this many minutes old."""
    run = instance.create_run_for_job(dg.job(name="job")(lambda: None), status=status)
    (known,) = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
    return known._replace(create_timestamp=datetime.now(timezone.utc) - timedelta(minutes=minutes))


def is_abandoned(heartbeat: object, *, status: str = "STARTED", minutes: float = 60) -> bool:
    with instance_in_memory() as instance:
        known = record(instance, minutes, dg.DagsterRunStatus(status))
        if heartbeat:
            instance.daemon_cursor_storage.set_cursor_values({key_of(known.dagster_run.run_id): json.dumps(heartbeat)})
        return bool(abandoned_runs(instance, [known]))


def test_a_run_is_abandoned_when_its_process_on_this_machine_is_gone() -> None:
    here = {"host": socket.gethostname(), "pid": os.getpid(), "beat": 3}
    started = psutil.Process().create_time()
    assert not is_abandoned(here)  # as version 0.1 recorded it
    assert not is_abandoned({**here, "started": started})
    assert is_abandoned({**here, "started": started - 60})  # the process id now belongs to another process
    assert not is_abandoned({**here, "host": "another", "started": started - 60})
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        psutil.wait_procs([psutil.Process(child.pid)], timeout=0.1)
        gone = {**here, "pid": child.pid}
        while psutil.pid_exists(child.pid) and psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert is_abandoned(gone)
    assert is_abandoned(gone)
    assert not is_abandoned(gone, status="SUCCESS")


class Written:
    """The heartbeats of a started run, instead of the storage of runs."""

    def __init__(self) -> None:
        self.starts = SimpleQueue[float]()

    def set_cursor_values(self, values: Mapping[str, str]) -> None:
        self.starts.put(json.loads(*values.values())["started"])

    def get_runs(self, _: dg.RunsFilter) -> list[dg.DagsterRun]:
        return [dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED)]


def test_after_the_clock_was_set_a_heartbeat_has_the_new_time_at_which_its_process_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("taxi_platform.ledger.heartbeats.HEARTBEAT_SECONDS", 0.01)
    before, written = psutil.Process().create_time(), Written()
    heartbeat = Heartbeat(written, "run")
    heartbeat.begin()
    monkeypatch.setattr("psutil.Process.create_time", lambda _: before + 60)
    assert written.starts.get(timeout=10) == before
    while (started := written.starts.get(timeout=10)) == before:
        pass
    heartbeat.end()
    assert started == before + 60


def test_a_run_that_was_never_started_is_abandoned_after_some_minutes() -> None:
    assert is_abandoned(None, status="NOT_STARTED", minutes=START_SECONDS / 60 + 1)
    assert not is_abandoned(None, status="NOT_STARTED", minutes=1)
    assert not is_abandoned(None, status="STARTED")  # its process may be about to write its first heartbeat
