"""Readers and loads at the same time: what readers see, which session waits, and what killed loads leave_table."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from taxi_platform.errors import DatabaseInterrupted
from taxi_platform.postgres import locking, tables
from taxi_platform.trips.services import GREEN, YELLOW
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows

OLD = rows(GREEN, 50)
NEW = rows(GREEN, 70, first=100)
COUNT = "select count(*) from green_tripdata"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


@contextmanager
def reader(loads: Loads) -> Iterator["psycopg.Connection[tuple[int]]"]:
    """Yield a client whose transaction has read the table and stays open."""
    with psycopg.connect(loads.url) as connection:
        assert connection.execute(COUNT).fetchone() == (50,)
        yield connection


def in_background(loads: Loads, lines: list[str]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def load() -> None:
        try:
            loads.load(lines)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    return thread, errors


def wait_until_logged(loads: Loads, text: str) -> None:
    deadline = time.monotonic() + 20
    while not any(text in line for line in loads.logged):
        assert time.monotonic() < deadline, loads.logged
        time.sleep(0.01)


def see_the_old_month_then_the_new_one(loads: Loads, connection: "psycopg.Connection[tuple[int]]") -> None:
    """Check that a load waits for this client's transaction, which sees the old month, and ends after it."""
    thread, errors = in_background(loads, NEW)
    wait_until_logged(loads, "waiting for readers of the old month before the swap")
    wait_until_logged(loads, "attempt 3")
    assert connection.execute(COUNT).fetchone() == (50,)
    connection.commit()
    thread.join(30)
    assert errors == []
    assert connection.execute(COUNT).fetchone() == (70,)


def lock_month(connection: "psycopg.Connection[tuple[bool]]") -> None:
    """Lock March as another load does."""
    connection.autocommit = True
    assert locking.try_lock(connection, tables.partition_of(GREEN, MARCH))


# Readers


def test_a_snapshot_from_before_the_load_never_sees_the_month_empty(loads: Loads) -> None:
    loads.load(OLD)
    with psycopg.connect(loads.url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select 1")  # the snapshot is taken, the table is not locked
        see_the_old_month_then_the_new_one(loads, connection)


def test_a_snapshot_that_outlasts_the_timeout_keeps_the_old_month_and_is_named(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads.load(OLD)
    monkeypatch.setattr(locking, "SWAP", replace(locking.SWAP, total=0.3))
    with psycopg.connect(loads.url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select 1")
        with pytest.raises(DatabaseInterrupted, match=f"session {connection.info.backend_pid} of user"):
            loads.load(NEW)
        assert connection.execute(COUNT).fetchone() == (50,)


def test_a_month_that_replaces_nothing_waits_for_no_snapshot(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "SWAP", replace(locking.SWAP, total=0.0))
    with psycopg.connect(loads.url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select 1")
        loads.load(OLD)


def test_a_reader_in_a_long_transaction_delays_the_swap_and_sees_the_old_month(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SHORT_LOCK_TIMEOUT", "set local lock_timeout = '50ms'")
    loads.load(OLD)
    with reader(loads) as connection:
        see_the_old_month_then_the_new_one(loads, connection)


def test_other_readers_are_served_while_the_swap_waits_for_one(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SHORT_LOCK_TIMEOUT", "set local lock_timeout = '50ms'")
    loads.load(OLD)
    with reader(loads) as connection:
        thread, errors = in_background(loads, NEW)
        wait_until_logged(loads, "waiting for readers")
        longest = 0.0
        for _ in range(20):
            began = time.monotonic()
            assert loads.one(COUNT) == 50
            longest = max(longest, time.monotonic() - began)
        assert longest < 2
        connection.rollback()
    thread.join(30)
    assert errors == []


def test_a_reader_that_never_ends_makes_the_load_give_up(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SHORT_LOCK_TIMEOUT", "set local lock_timeout = '50ms'")
    monkeypatch.setattr(locking, "SWAP", replace(locking.SWAP, total=0.3))
    loads.load(OLD)
    before = loads.state()
    with reader(loads):
        with pytest.raises(DatabaseInterrupted, match=r"2019-03\.csv: PostgreSQL gave up waiting .*lock timeout"):
            loads.load(NEW)
        assert loads.state() == before
    assert loads.load().rows == 70
    assert loads.loading_tables() == []


def test_readers_that_poll_see_one_version_or_the_other_and_no_error(loads: Loads) -> None:
    loads.load(OLD)
    query = "select count(*), sum(total_amount)::numeric(9, 2), count(distinct pulocationid) from green_tripdata"
    versions: set[tuple[object, ...]] = set()
    for lines in (OLD, NEW):
        loads.load(lines)
        versions.update(loads.ask(query))
    seen: list[tuple[object, ...]] = []
    ended = threading.Event()

    def poll() -> None:
        with psycopg.connect(loads.url, autocommit=True) as connection:
            while not ended.is_set():
                seen.extend(connection.execute(query))

    threads = [threading.Thread(target=poll) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(12):
        loads.load(OLD if number % 2 else NEW, force=True)
    ended.set()
    for thread in threads:
        thread.join()
    assert set(seen) == versions
    assert len(seen) > 24


# Other loads


def test_two_processes_that_load_the_same_month_take_turns(loads: Loads) -> None:
    loads.publish(NEW)
    slow = """
real = loader.when_readers_allow
loader.when_readers_allow = lambda *a: (__import__('time').sleep(0.3), real(*a))
"""
    processes = [loads.begin(slow) for _ in range(2)]
    outputs = [process.communicate(timeout=180)[0] for process in processes]
    assert [output.splitlines()[-1] for output in outputs] == ["loaded 70"] * 2, outputs
    assert sum("another process is loading this month; waiting for it" in output for output in outputs) == 1
    assert (loads.one(COUNT), loads.loading_tables(), loads.locks()) == (70, [], 0)


def test_processes_that_load_different_months_into_a_new_database_do_not_mix_them(loads: Loads) -> None:
    expected = {}
    processes = []
    for number, (service, month) in enumerate(
        [(GREEN, MARCH), (GREEN, APRIL), (YELLOW, MARCH), (GREEN, MARCH.plus(2))]
    ):
        loads.publish(rows(service, 40 + number), service, month)
        expected[service.file_name(month)] = 40 + number
        processes.append(loads.begin("", service, month))
    outputs = [process.communicate(timeout=180)[0] for process in processes]
    assert [output.splitlines()[-1] for output in outputs] == [f"loaded {count}" for count in expected.values()], (
        outputs
    )
    counts = "select filename, count(*) from {} group by 1"
    found = loads.ask(f"{counts.format('green_tripdata')} union all {counts.format('yellow_tripdata')}")
    assert dict(found) == expected
    assert (loads.loading_tables(), loads.locks()) == ([], 0)


def test_a_load_waits_for_a_month_that_another_load_has_locked(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "MONTH_LOCK", replace(locking.MONTH_LOCK, total=0.2))
    loads.load(OLD)
    before = loads.state()
    with psycopg.connect(loads.url) as other:
        lock_month(other)
        with pytest.raises(DatabaseInterrupted, match="green_tripdata_2019_03: another process has been loading"):
            loads.load(NEW)
        assert loads.load(rows(GREEN, 3), month=APRIL).rows == 3
    waiting = "public.green_tripdata_2019_03: another process is loading this month; waiting for it"
    assert loads.logged.count(waiting) == 1
    assert loads.state()["green_tripdata"] != before["green_tripdata"]
    assert loads.one("select count(*) from green_tripdata_2019_03") == 50


# What killed loads leave_table


def leave_table(loads: Loads, month: str) -> None:
    """Create the table that a load leaves when it is killed in mid-COPY."""
    loads.ask(f"create table green_tripdata_{month}_loading (like green_tripdata)")


def test_tables_of_killed_loads_are_dropped_by_the_next_load_of_any_month(loads: Loads) -> None:
    loads.load(OLD)
    for month in ("2019_03", "2019_04", "2020_12"):
        leave_table(loads, month)
    loads.load(OLD, month=APRIL.plus(1))
    assert loads.loading_tables() == []
    assert loads.one("select count(*) from green_tripdata_2019_03") == 50


def test_the_table_of_a_running_load_is_kept(loads: Loads) -> None:
    loads.load(OLD)
    leave_table(loads, "2019_03")
    leave_table(loads, "2019_06")
    with psycopg.connect(loads.url) as other:
        lock_month(other)
        loads.load(OLD, month=APRIL)
        assert loads.loading_tables() == ["green_tripdata_2019_03_loading"]
    loads.load(OLD[1:], month=APRIL)
    assert loads.loading_tables() == []


def test_only_tables_that_are_named_like_ours_are_dropped(loads: Loads) -> None:
    loads.load(OLD)
    names = ["green_tripdata_loading", "green_tripdata_2019_03_loading_2", "my_green_tripdata_2019_03_loading"]
    for name in names:
        loads.ask(f"create table {name} (x integer)")
    loads.load(OLD[1:])
    kept = loads.ask("select relname from pg_class where relname = any(%s)", names)
    assert sorted(name for (name,) in kept) == sorted(names)
