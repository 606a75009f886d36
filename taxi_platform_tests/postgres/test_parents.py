"""Indexes, constraints and publications that others add to the trip tables: loads still work and stay fast."""

import threading
import time
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from taxi_platform.errors import DatabaseInterrupted, DatabaseRefused
from taxi_platform.postgres import loader
from taxi_platform.postgres.frames import replace_table
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import APRIL, rows, with_field

LINES = rows(GREEN, 50)


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    loads = Loads(tmp_path, database)
    loads.load(LINES)
    return loads


INDEXES = [
    "create index on green_tripdata (lpep_pickup_datetime)",
    "create index pulocations on green_tripdata (pulocationid, dolocationid desc) where pulocationid is not null",
    "create index on green_tripdata using brin (lower(vendorid))",
    "alter table green_tripdata add unique (filename, lpep_pickup_datetime)",
]


def test_indexes_of_the_table_are_built_before_the_swap(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    for statement in INDEXES:
        loads.ask(statement)
    indexes = "select indexrelid from pg_index where indrelid = '{}'::regclass order by 1"
    built: list[object] = []
    swap = loader._Load._swap  # pyright: ignore[reportPrivateUsage]

    def record_and_swap(self: loader._Load, *arguments: object) -> None:  # pyright: ignore[reportPrivateUsage]
        built.extend(loads.ask(indexes.format("green_tripdata_2019_03_loading")))
        swap(self, *arguments)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(loader._Load, "_swap", record_and_swap)  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        built.clear()
        loads.load(force=True)
        assert len(built) == len(INDEXES)
        assert loads.ask(indexes.format("green_tripdata_2019_03")) == built  # none was built by the swap
        attached = "select count(*) from pg_inherits where inhrelid = any(%s)"
        assert loads.one(attached, [oid for (oid,) in built]) == len(INDEXES)  # pyright: ignore[reportGeneralTypeIssues]


def test_readers_of_another_month_do_not_wait_for_indexes(loads: Loads) -> None:
    loads.load(LINES, month=APRIL)
    for statement in INDEXES[:3]:
        loads.ask(statement)
    loads.publish(rows(GREEN, 40_000))
    longest, ended = [0.0], threading.Event()

    def read() -> None:
        with psycopg.connect(loads.url, autocommit=True) as connection:
            while not ended.is_set():
                began = time.monotonic()
                connection.execute("select count(*) from green_tripdata where filename = 'green_tripdata_2019-04.csv'")
                longest[0] = max(longest[0], time.monotonic() - began)

    reader = threading.Thread(target=read)
    reader.start()
    loads.load()
    ended.set()
    reader.join()
    assert longest[0] < 1.0  # a busy machine takes longer than the promised 100 ms


def test_a_check_constraint_of_the_table_holds_for_new_months(loads: Loads) -> None:
    loads.ask("alter table green_tripdata add constraint fares check (fare_amount > -1000)")
    assert loads.load(LINES[1:]).rows == 49
    before = loads.state()
    with pytest.raises(DatabaseRefused, match='violates check constraint "fares"'):
        loads.load([*LINES, with_field(GREEN, LINES[0], "fare_amount", "-5000")])
    assert loads.state() == before


def test_a_publication_of_all_tables_does_not_stop_loads(loads: Loads) -> None:
    loads.ask("alter table green_tripdata_rejects replica identity default")  # as version 0.1 made it
    loads.ask("create publication everything for all tables")
    assert loads.load([*LINES, "bad"], max_bad_rows=1).rejected == 1
    assert loads.load(LINES).rejected == 0
    assert loads.one("select count(*) from green_tripdata_rejects") == 0
    for number in (1, 2):
        replace_table(loads.url, "zones", pa.table({"id": [number]}), "", {})
    assert loads.ask("select id from zones") == [(2,)]


def test_a_loading_table_that_another_process_replaced_is_not_swapped_in(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = loads.state()
    real = loader.when_readers_allow

    def replaced(*arguments: object) -> None:
        loads.ask(
            "drop table green_tripdata_2019_03_loading; "
            "create table green_tripdata_2019_03_loading (like green_tripdata including generated)"
        )
        real(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(loader, "when_readers_allow", replaced)
    with pytest.raises(DatabaseInterrupted, match="another process has replaced the table that this load has filled"):
        loads.load(LINES[1:])
    assert loads.state() == before
