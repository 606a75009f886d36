"""Whatever dies, goes away or fills up in the middle of a backfill: afterwards every month is its file, once."""

import signal
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
    """A backfill that is held whenever it fetches the sixth month of a service; it goes on at the end of the block."""
    go_on = threading.Event()
    for address in sixth_months(year):
        source.script(address, Answer(until=go_on), Answer(until=go_on))
    backfill = year.launch()
    try:
        wait_for_the_sixth(stack, source, year, 1)
        yield backfill
    finally:
        go_on.set()


def sixth_months(year: Year) -> list[str]:
    """Where the source has them."""
    return [path(SERVICES[asset.removesuffix("_tripdata")], year.months[5]) for asset in year.assets]


def wait_for_the_sixth(stack: Stack, source: TripServer, year: Year, times: int) -> None:
    """Wait until the backfill has asked for the sixth month of a service so many times."""
    sixth = sixth_months(year)
    stack.wait(lambda: sum(asked.path in sixth for asked in source.requests) >= times, "the sixth month asked for")


def kill(stack: Stack, victims: str) -> list[str]:
    """Kill the process of the run, or services, which are started again as Compose would do it; return their names."""
    if victims == "run worker":
        workers(stack)[-1].send_signal(signal.SIGKILL)
        return []
    names = list(stack.services) if victims == "everything" else victims.split()
    for name in names:
        stack.kill(name)
    for name in names:
        stack.start(name)
    return names


def workers(stack: Stack) -> list[psutil.Process]:
    """The processes that execute runs, the newest last."""
    found: list[psutil.Process] = []
    for process in stack.processes("code"):
        with suppress(psutil.Error):  # it has ended meanwhile
            if "--multiprocessing-fork" in process.cmdline():
                found.append(process)
    return found


@contextmanager
def full(stack: Stack, folder: str) -> Iterator[None]:
    """A disk without a free byte."""
    if folder not in stack.disks:
        pytest.skip("no small disk can be mounted here")
    try:
        stack.disks[folder].fill()
        yield
    finally:
        stack.disks[folder].free()


def somebody_waits(stack: Stack) -> bool:
    """Whether a session of the trips' database waits for a lock."""
    with psycopg.connect(trips_url(stack)) as connection:
        return connection.execute(WAITING).fetchone() is not None


def failures(stack: Stack, run: str) -> str:
    """What the failed steps of a run say."""
    return str(stack.graphql(FAILURES, id=run)["logsForRun"])


def test_a_killed_run_is_retried_and_its_retry_survives_the_death_of_everything_but_its_own_process(
    stack: Stack, source: TripServer, year: Year
) -> None:
    with in_the_middle(stack, source, year) as backfill:
        kill(stack, "run worker")
        wait_for_the_sixth(stack, source, year, 2)
        for victims in ("daemon web", "postgres"):
            stack.wait_until_healthy(*kill(stack, victims))
    year.wait_for(backfill)
    assert len(year.check(backfill)) == 2


@pytest.mark.parametrize("victims", ["code", "everything"])
def test_a_code_server_that_is_killed_with_its_runs_loses_nothing(
    stack: Stack, source: TripServer, year: Year, victims: str
) -> None:
    with in_the_middle(stack, source, year) as backfill:
        killed = kill(stack, victims)
    stack.wait_until_healthy(*killed)
    year.wait_for(backfill)
    assert len(year.check(backfill)) >= 2  # and another, if a retry meets services that start


def test_postgres_that_is_killed_in_the_middle_of_a_swap_and_stays_away_is_waited_for(
    stack: Stack, source: TripServer, year: Year
) -> None:
    with in_the_middle(stack, source, year) as backfill:
        other = psycopg.connect(trips_url(stack))
        other.execute("lock table tripdata_files")
    stack.wait(lambda: somebody_waits(stack), "a load that waits for the lock")
    stack.kill("postgres")
    time.sleep(15)
    stack.start("postgres")
    year.wait_for(backfill)
    assert len(year.check(backfill)) <= 2  # whether the run survives is a matter of what it stores meanwhile


def test_a_source_that_goes_away_is_waited_for(stack: Stack, source: TripServer, year: Year) -> None:
    with in_the_middle(stack, source, year) as backfill:
        source.away.set()
        before = len(source.requests)
    stack.wait(lambda: len(source.requests) > before + 3, "the source asked again and again")
    source.away.clear()
    year.wait_for(backfill)
    assert len(year.check(backfill)) == 1


def test_a_full_disk_of_raw_files_fails_the_months_that_meet_it_and_a_second_attempt_loads_them(
    stack: Stack, source: TripServer, year: Year
) -> None:
    with ExitStack() as filled:
        with in_the_middle(stack, source, year) as backfill:
            filled.enter_context(full(stack, "data"))
        year.wait_for(backfill, "COMPLETED_FAILED")
    (run,) = year.runs(backfill)
    assert "cannot be written: the disk is full. Free some space" in failures(stack, run["runId"])
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
        stack.wait(lambda: not workers(stack), "the run's process gone, for it can store nothing")
    stack.wait_until_healthy("postgres", "web")
    year.wait_for(backfill)
    year.check(backfill)
