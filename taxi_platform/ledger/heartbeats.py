"""Heartbeats tell whether the process of a run is still alive.

A process that executes a run writes a heartbeat into the database of Dagster's state every few seconds, whatever
started it, and stops itself if Dagster has ended the run meanwhile. The daemon, which may be in another container,
measures for how long it has not changed (``UnchangedTimer``), without comparing clocks; a command, which cannot wait,
checks the processes of this machine (``abandoned_runs``).
"""

import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import psutil

from taxi_platform.dagster_private import forget_cursor_value

HEARTBEAT_SECONDS = 10.0
TIMEOUT_SECONDS = 60.0  # several heartbeats
LONGEST_GAP_SECONDS = 20.0  # between two health checks, of which run monitoring makes one every 15 s
CANCELING_HEARTBEATS = 3  # how long the code server may take to pass on a request to stop
RUN_ENDS = {dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}
"""The events that end a run, and its heartbeat."""
START_SECONDS = 180.0  # a run that no process has started by then was abandoned by the one that created it


def key_of(run_id: str) -> str:
    """Return the key of a run's heartbeat. Version 0.1 uses the same, so runs in progress survive an upgrade."""
    return f"taxi_platform/sign_of_life/{run_id}"


def last_heartbeat(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Return the last heartbeat of a run, which differs from the one before; None before the first."""
    return instance.daemon_cursor_storage.get_cursor_values({key_of(run_id)}).get(key_of(run_id))


def process_named_in(heartbeat: str | None) -> str:
    """Describe the process that wrote a heartbeat."""
    return "process {pid} on {host}".format_map(json.loads(heartbeat)) if heartbeat else "its process"


class Heartbeat:
    """Writes the heartbeat of a run of this process into the run storage; interrupts a process whose run is over."""

    def __init__(self, storage: Any, run_id: str) -> None:
        self._storage = storage
        self._run_id = run_id
        self._ended = threading.Event()
        self._one_at_a_time = threading.Lock()  # no heartbeat may be written after the end
        self._canceling = 0
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def begin(self) -> None:
        """Write the first heartbeat now, and the others from a thread."""
        self._write(0)
        self._thread.start()

    def end(self) -> None:
        """Write no more heartbeats."""
        with self._one_at_a_time:
            self._ended.set()

    def _beat(self) -> None:
        for number in itertools.count(1):
            if self._ended.wait(HEARTBEAT_SECONDS):
                return
            try:
                if not self._is_over_for_the_others():
                    self._write(number)
                    continue
                # The last heartbeat may have come after the run was declared over.
                forget_cursor_value(self._storage, key_of(self._run_id))
            except Exception:  # noqa: S112 - PostgreSQL is away, and readers of heartbeats notice that, too
                continue
            if not self._ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does: Dagster ends the step and records it
                return

    def _write(self, number: int) -> None:
        with self._one_at_a_time:
            if not self._ended.is_set():
                heartbeat = {
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "started": psutil.Process().create_time(),  # another time when the clock has been set
                    "beat": number,
                }
                self._storage.set_cursor_values({key_of(self._run_id): json.dumps(heartbeat)})

    def _is_over_for_the_others(self) -> bool:
        """Return whether others ended or deleted the run, or this process missed a request to stop."""
        runs = self._storage.get_runs(dg.RunsFilter(run_ids=[self._run_id]))
        if not runs or runs[0].is_finished:
            return True
        self._canceling = self._canceling + 1 if runs[0].status == dg.DagsterRunStatus.CANCELING else 0
        return self._canceling >= CANCELING_HEARTBEATS


class UnchangedTimer:
    """Measures for how long something about a run has not changed, as observed from here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._observations: dict[str, tuple[object, float, float]] = {}  # value, observed at, seconds

    def unchanged(self, run_id: str, value: object) -> float:
        """Return the seconds for which the value has been the same, when it is observed every few seconds.

        A longer gap counts as a short one, because an outage may have kept the process from writing heartbeats, too.
        """
        now = self._clock()
        last, at, seconds = self._observations.get(run_id, (None, now, 0.0))
        seconds = seconds + min(now - at, LONGEST_GAP_SECONDS) if last == value else 0.0
        self._observations[run_id] = (value, now, seconds)
        return seconds

    def forget(self, run_id: str) -> None:
        """Forget a run that is over."""
        self._observations.pop(run_id, None)


def abandoned_runs(instance: dg.DagsterInstance, records: Iterable[dg.RunRecord]) -> set[str]:
    """Return the ids of the runs whose process was on this machine and is gone, or that nobody ever started."""
    unfinished = {record.dagster_run.run_id: record for record in records if not record.dagster_run.is_finished}
    if not unfinished:
        return set()
    heartbeats = instance.daemon_cursor_storage.get_cursor_values({key_of(run_id) for run_id in unfinished})
    return {run_id for run_id, record in unfinished.items() if _is_abandoned(record, heartbeats.get(key_of(run_id)))}


def _is_abandoned(record: dg.RunRecord, heartbeat: str | None) -> bool:
    if heartbeat is None:
        created = record.create_timestamp.replace(tzinfo=timezone.utc)
        is_old = datetime.now(timezone.utc) - created > timedelta(seconds=START_SECONDS)
        return is_old and record.dagster_run.status == dg.DagsterRunStatus.NOT_STARTED
    written_by = json.loads(heartbeat)
    if written_by["host"] != socket.gethostname():
        return False
    try:
        process = psutil.Process(written_by["pid"])
        # Another process may have the same number by now. Heartbeats of version 0.1 do not say when theirs started.
        is_same = abs(written_by.get("started", process.create_time()) - process.create_time()) < 2
        return not is_same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
