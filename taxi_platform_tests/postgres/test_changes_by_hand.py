"""Rows that somebody inserts, updates or deletes: the next load notices without counting all months each time."""

import re
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.postgres import preparing
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.month_loads import FLUSH, Loads, two_months
from taxi_platform_tests.support.trip_texts import rows

LINES = rows(GREEN, 50)
FILE = "green_tripdata_2019-03.csv"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return two_months(tmp_path, database)


def changed(loads: Loads) -> set[str]:
    with connect(loads.url) as connection:
        return preparing.months_changed_by_hand(connection)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each partition is added whose rows are counted."""
    counted: list[str] = []
    real = preparing.execute

    def record(connection: Any, statement: str, parameters: Any = None) -> object:
        counted.extend(re.findall(r"count\(\*\) from ([\w.]+)\)", statement))
        return real(connection, statement, parameters)

    monkeypatch.setattr(preparing, "execute", record)
    return counted


@pytest.mark.parametrize(
    "statement",
    [
        "delete from green_tripdata where filename like '%-03.csv' and dolocationid = '8'",
        "delete from green_tripdata_2019_03",
        f"insert into green_tripdata (filename) values ('{FILE}')",
        "update green_tripdata set fare_amount = 7 where filename like '%-03.csv' and dolocationid = '8'",
    ],
    ids=["some deleted", "all deleted", "inserted", "updated"],
)
@pytest.mark.parametrize("reset", [False, True], ids=["", "after a crash"])
def test_a_change_by_hand_is_noticed_and_the_month_is_loaded_again(loads: Loads, statement: str, reset: bool) -> None:
    if reset:
        loads.ask("select pg_stat_reset()")  # as a crash does
    loads.ask(statement + FLUSH)
    assert changed(loads) == {FILE}
    assert not loads.load(LINES).unchanged
    assert loads.one("select count(*) from green_tripdata where fare_amount is not null") == 100
    assert changed(loads) == set()
    assert loads.load(LINES).unchanged


def test_rows_deleted_before_a_crash_are_noticed_after_it(loads: Loads) -> None:
    loads.ask("delete from green_tripdata_2019_03 where dolocationid = '8'")
    loads.ask("select pg_stat_reset()")
    assert changed(loads) == {FILE}


def test_an_insert_that_was_rolled_back_is_not_a_change(loads: Loads) -> None:
    loads.ask("begin; insert into green_tripdata_2019_03 (filename) values (default); rollback" + FLUSH)
    assert changed(loads) == set()


def test_months_are_only_counted_after_a_crash_and_only_once(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(loads)
    counted = counting(monkeypatch)
    assert changed(loads) == set()
    assert counted == []
    loads.ask("select pg_stat_reset()")
    assert changed(loads) == changed(loads) == set()
    assert sorted(name.removeprefix("public.") for name in counted) == [
        "green_tripdata_2019_03",
        "green_tripdata_2019_04",
    ]


def test_a_user_who_only_reads_gets_the_same_answer(loads: Loads) -> None:
    loads.ask("select pg_stat_reset(); delete from green_tripdata_2019_03 where dolocationid = '8'" + FLUSH)
    with connect(loads.url) as connection:
        execute(connection, "set default_transaction_read_only = on")
        assert preparing.months_changed_by_hand(connection) == {FILE}
    assert loads.ask("select counted_at from tripdata_files") == [(None,), (None,)]


def test_records_of_an_earlier_version_are_read(loads: Loads) -> None:
    loads.ask("alter table tripdata_files drop column counted_at; select pg_stat_reset()")
    assert changed(loads) == set()
    assert loads.load(LINES).unchanged
    assert loads.one("select count(counted_at) from tripdata_files") == 1
