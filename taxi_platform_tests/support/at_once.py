"""Real processes that do something at the same moment, and stay until they are killed.

    together = Together(10)
    workers = [together.start(run_hello_world, database, {}, {}) for _ in range(10)]
    answers = [worker.answer() for worker in workers]
    workers[0].kill()

All processes are forked from one that has imported this module and what Dagster imports late, so that ten of them cost
little more than one. A session has only one such process, so what tests run in others belongs here.
"""

import logging
import multiprocessing
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from taxi_platform.defs.course import hello_world
from taxi_platform.errors import TaxiError
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.files import TripFile
from taxi_platform_tests.support.shell import instance

SECONDS = 120  # the timeout of everything here, on a busy machine
LATE = ["dagster._cli", "dagster_postgres", "taxi_platform.orchestration.database", "upath"]
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([__name__, *LATE])

Job = Callable[..., object]


class Worker:
    """One process."""

    def __init__(self, process: BaseProcess, pipe: Connection, barrier: object) -> None:
        self.process = process
        self._pipe = pipe
        self._barrier = barrier  # kept until the process has opened it

    def answer(self) -> Any:
        """Return what its job returned."""
        assert self._pipe.poll(SECONDS), f"no answer of process {self.process.pid}"
        return self._pipe.recv()

    def answered(self, seconds: float = 0) -> bool:
        """Return whether its job has returned, or returns within some seconds."""
        return self._pipe.poll(seconds)

    def kill(self) -> None:
        """Kill it as ``kill -9`` does."""
        self.process.kill()
        self.process.join(SECONDS)


class Together:
    """Starts workers whose jobs begin when the last of them is ready."""

    def __init__(self, number: int) -> None:
        self._barrier = processes.Barrier(number)

    def start(self, job: Job, *arguments: object) -> Worker:
        """Start one of the workers; its answer is what the job returns."""
        near, far = processes.Pipe()
        process = processes.Process(target=_work, args=(self._barrier, far, job, arguments), daemon=True)
        process.start()
        far.close()  # so that reading ends when the process dies without an answer
        return Worker(process, near, self._barrier)


def _work(barrier: Any, pipe: Connection, job: Job, arguments: tuple[object, ...]) -> None:
    barrier.wait(SECONDS)
    pipe.send(job(*arguments))
    signal.pause()


def run_hello_world(database: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> tuple[str, bool]:
    """Run the job on the instance whose state is in a database; return the run's id and whether it succeeded."""
    with instance(database) as opened:
        result = hello_world.execute_in_process(
            instance=opened, run_config=dict(config), tags=dict(tags), raise_on_error=False
        )
        return result.run_id, result.success


def load(url: str, file: TripFile) -> None:
    """Load a month, and ignore the platform's errors, because the server may go away."""
    logging.disable(logging.CRITICAL)
    with suppress(TaxiError):
        load_month(url, file, max_bad_rows=1, force=True)
