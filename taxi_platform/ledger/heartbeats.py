"""How a run whose process has crashed is told from one that works: a process that executes a run gives signs of life.

Who asks cannot see the process: in Compose and on Kubernetes it is in another container, a command runs anywhere. The
server that has started it may be gone, or new. So the process says itself that it lives, in the database of the state,
and stops when its run is over for everybody else. Clocks are never compared, and a machine that slept is not a crash.
"""

import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import DagsterRun, DagsterRunStatus, RunsFilter

if TYPE_CHECKING:
    from dagster._core.storage.runs import SqlRunStorage

BEAT_SECONDS = 10.0
SILENCE_SECONDS = 60.0  # several beats
LONGEST_GAP_SECONDS = 20.0  # between two looks, of which run monitoring takes one every 15 s
PATIENT_BEATS = 3  # the server of the process has that long to pass on a request to stop

Interrupt = Callable[[], None]


def interrupt_this_process() -> None:
    """What Ctrl-C does: Dagster ends the step and records it."""
    os.kill(os.getpid(), signal.SIGINT)


class SignsOfLife:
    """The table of the state's database in which the processes say that they live, one row a run in progress."""

    def __init__(self, storage: "SqlRunStorage") -> None:
        self._storage = storage

    def give(self, run_id: str, beat: int) -> None:
        """Say that this process still executes the run."""
        sign = {"host": socket.gethostname(), "pid": os.getpid(), "beat": beat}
        self._storage.set_cursor_values({_key(run_id): json.dumps(sign)})

    def last(self, run_id: str) -> str | None:
        """The last sign; it differs from the one before."""
        return self._storage.get_cursor_values({_key(run_id)}).get(_key(run_id))

    def forget(self, run_id: str) -> None:
        """Remove the row of a run that is over."""
        from dagster._core.storage.runs.schema import KeyValueStoreTable

        with self._storage.connect() as connection:
            connection.execute(KeyValueStoreTable.delete().where(KeyValueStoreTable.c.key == _key(run_id)))

    def run(self, run_id: str) -> DagsterRun | None:
        """The run as it is known now."""
        return next(iter(self._storage.get_runs(RunsFilter(run_ids=[run_id]))), None)


class Pulse:
    """Gives signs of life for one run of this process, and stops the process when the run is over for the others.

    Args:
        signs: where they are given.
        run_id: the run.
        interrupt: how this process is stopped.
    """

    def __init__(self, signs: SignsOfLife, run_id: str, interrupt: Interrupt = interrupt_this_process) -> None:
        self._signs = signs
        self._run_id = run_id
        self._interrupt = interrupt
        self._ended = threading.Event()
        self._one_at_a_time = threading.Lock()  # no sign may come after the end
        self._canceling = 0
        self._thread = threading.Thread(target=self._beat, name="signs-of-life", daemon=True)

    def begin(self) -> None:
        """Give the first sign now, and the others from a thread."""
        self._give(0)
        self._thread.start()

    def end(self) -> None:
        """Give no more signs."""
        with self._one_at_a_time:
            self._ended.set()

    def _beat(self) -> None:
        from dagster_postgres.utils import DagsterPostgresException
        from sqlalchemy.exc import SQLAlchemyError

        for beat in itertools.count(1):
            if self._ended.wait(BEAT_SECONDS):
                return
            try:
                is_over = self._is_over_for_the_others()
                if is_over:
                    self._signs.forget(self._run_id)  # the last sign may have come after the run was declared over
                else:
                    self._give(beat)
            except (SQLAlchemyError, DagsterPostgresException):
                continue  # PostgreSQL is away; who asks it for signs gets no answer either
            if is_over and not self._ended.is_set():
                self._interrupt()
                return

    def _give(self, beat: int) -> None:
        with self._one_at_a_time:
            if not self._ended.is_set():
                self._signs.give(self._run_id, beat)

    def _is_over_for_the_others(self) -> bool:
        """Whether the run was declared dead, or shall stop and nobody was there to tell this process."""
        run = self._signs.run(self._run_id)
        if run is None or run.is_finished:
            return True
        self._canceling = self._canceling + 1 if run.status == DagsterRunStatus.CANCELING else 0
        return self._canceling >= PATIENT_BEATS


@dataclass(frozen=True)
class _Look:
    seen: object
    at: float
    seconds: float


class Watch:
    """Tells for how long something about a run has been the same, as seen from here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: dict[str, _Look] = {}

    def unchanged(self, run_id: str, seen: object) -> float:
        """Seconds for which what is seen has been the same, when looked at every few of them.

        A longer gap counts as a short one: whatever kept us from looking, an outage of the database or a machine that
        slept, may have kept the process from giving signs.
        """
        now = self._clock()
        last = self._looks.get(run_id)
        same = last is not None and last.seen == seen
        seconds = last.seconds + min(now - last.at, LONGEST_GAP_SECONDS) if last and same else 0.0
        self._looks[run_id] = _Look(seen, now, seconds)
        return seconds

    def forget(self, run_id: str) -> None:
        """Do not remember a run that is over."""
        self._looks.pop(run_id, None)


def whose(sign: str | None) -> str:
    """The process that gave a sign, in words."""
    if sign is None:
        return "its process"
    parts = json.loads(sign)
    return f"process {parts['pid']} on {parts['host']}"


def _key(run_id: str) -> str:
    return f"taxi_platform/sign_of_life/{run_id}"
