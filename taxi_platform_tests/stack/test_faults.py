"""Services, sources and disks that fail in the middle of a backfill: in the end every month equals its file, once."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import psycopg
import pytest

from taxi_platform.trips.services import SERVICES
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.trip_server import Answer, TripServer
from taxi_platform_tests.support.year import Year, path, trips_url

FAILURES = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
    ... on ExecutionStepFailureEvent { error { message cause { message } } }
} } } }"""

WAITING = "select 1 from pg_stat_activity where datname = 'ny_taxi' and wait_event_type = 'Lock'"


@contextmanager
def in_the_middle(stack: Stack, source: TripServer, year: Year) -> Iterator[str]:
    """Start a backfill that waits at the sixth month of each service until the end of the block; yield its id."""
    go_on = threading.Event()
    sixth = [path(SERVICES[asset.removesuffix("_tripdata")], year.months[5]) for asset in year.assets]
    for address in sixth:
        source.script(address, Answer(until=go_on), Answer(until=go_on))
    backfill = year.launch()
    try:
        stack.wait(lambda: any(asked.path in sixth for asked in source.requests), "the sixth month requested")
        yield backfill
    finally:
        go_on.set()


def kill(stack: Stack, *names: str) -> None:
    """Kill services, and start them again as Compose would."""
    for name in names:
        stack.kill(name)
    for name in names:
        stack.start(name)


def workers(stack: Stack) -> list[psutil.Process]:
    """Return the processes that execute runs."""
    found: list[psutil.Process] = []
    for process in stack.processes("code"):
        with suppress(psutil.Error):  # the process has ended meanwhile
            if "multiprocessing.forkserver" in str(process.cmdline()):
                found.append(process)
    return found[1:]  # the first one is the process from which they are forked


@contextmanager
def full(stack: Stack, folder: str) -> Iterator[None]:
    """Fill a disk for the time of the block."""
    if folder not in stack.disks:
        pytest.skip("no small disk can be mounted here")
    try:
        stack.disks[folder].fill()
        yield
    finally:
        stack.disks[folder].free()


def somebody_waits(stack: Stack) -> bool:
    """Return whether a session of the trips' database waits for a lock."""
    with psycopg.connect(trips_url(stack)) as connection:
        return connection.execute(WAITING).fetchone() is not None


def failures(stack: Stack, run: str) -> str:
    """Return the errors of a run's failed steps."""
    return str(stack.graphql(FAILURES, id=run)["logsForRun"])


def test_a_run_continues_when_everything_but_its_own_process_dies_and_its_source_is_away(
    stack: Stack, source: TripServer, year: Year
) -> None:
    with in_the_middle(stack, source, year) as backfill:
        kill(stack, "daemon", "web")
        kill(stack, "postgres")
        stack.wait_until_healthy("postgres", "web")
        source.away.set()
        before = len(source.requests)
    try:
        stack.wait(lambda: len(source.requests) > before + 2, "the source requested repeatedly")
    finally:
        source.away.clear()
    year.wait_for(backfill)
    assert len(year.check(backfill)) == 1


def test_when_everything_is_killed_nothing_is_lost(stack: Stack, source: TripServer, year: Year) -> None:
    with in_the_middle(stack, source, year) as backfill:
        kill(stack, *stack.services)
    stack.wait_until_healthy("postgres", "code", "web")
    year.wait_for(backfill)
    assert len(year.check(backfill)) >= 2  # more if a retry fails while services are starting


def test_a_load_waits_for_postgres_that_is_killed_during_a_swap_and_stays_away(
    stack: Stack, source: TripServer, year: Year
) -> None:
    with in_the_middle(stack, source, year) as backfill:
        other = psycopg.connect(trips_url(stack))
        other.execute("lock table tripdata_files")
    stack.wait(lambda: somebody_waits(stack), "a load that waits for the lock")
    stack.kill("postgres")
    time.sleep(10)  # longer than the timeout of a run without heartbeats
    stack.start("postgres")
    year.wait_for(backfill)
    assert len(year.check(backfill)) <= 2  # whether the run survives depends on what it stores meanwhile


def test_a_full_disk_of_raw_files_fails_the_months_that_meet_it_and_a_second_attempt_loads_them(
    stack: Stack, source: TripServer, year: Year
) -> None:
    with ExitStack() as filled:
        with in_the_middle(stack, source, year) as backfill:
            filled.enter_context(full(stack, "data"))
        year.wait_for(backfill, "COMPLETED_FAILED")
    (run,) = year.runs(backfill)
    assert "cannot be written: no space left on device. Free space" in failures(stack, run["runId"])
    assert sum(len(year.loaded(asset)) for asset in year.assets) == 5
    assert sum(len(year.materialized(asset)) for asset in year.assets) == 5
    again = year.launch_again(backfill)
    year.wait_for(again)
    year.check(again)


def test_a_full_disk_of_postgres_stops_a_backfill_until_there_is_space_again(
    stack: Stack, source: TripServer, year: Year
) -> None:
    with ExitStack() as filled:
        with in_the_middle(stack, source, year) as backfill:
            filled.enter_context(full(stack, "postgres"))
        stack.wait(lambda: "No space left on device" in stack.log_file("postgres").read_text(), "disk full")
        stack.wait(lambda: not workers(stack), "the run's process gone, because it can store nothing")
    stack.wait_until_healthy("postgres", "web")
    year.wait_for(backfill)
    year.check(backfill)
