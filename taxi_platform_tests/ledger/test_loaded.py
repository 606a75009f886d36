"""Loaded months in the database: how values that only an older parser accepted, and changes by hand, are found."""

from pathlib import Path

import pytest

from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.postgres import older_months
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.trips.records import PARSER
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.month_loads import FLUSH, Loads, two_months
from taxi_platform_tests.support.trip_texts import rows

LINES = rows(GREEN, 50)
MARCH_FILE, APRIL_FILE = "green_tripdata_2019-03.csv", "green_tripdata_2019-04.csv"
LATEST_ROW = "where ctid = (select ctid from green_tripdata_2019_03 order by age(xmin) limit 1)"
FIRST_ROW = "where ctid = (select min(ctid) from green_tripdata_2019_03)"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    """Load two months; tests change 2019-03."""
    return two_months(tmp_path, database)


def older(loads: Loads, change: str = "") -> None:
    """Make both months look as if version 0.1 had loaded them; the change, if any, is made to one row of 2019-03."""
    loads.ask("update tripdata_files set loaded_at = '2026-02-03 04:05:06+00'")
    if change:
        loads.ask(f"update green_tripdata_2019_03 set {change} {FIRST_ROW}")
    loads.ask("alter table tripdata_files drop column parser, drop column refused, drop column counted_at")


def refused(loads: Loads) -> dict[str, str]:
    return {name: record.refused for name, record in months_in_place(loads.url, inspect=True).items()}


OLDER = {
    "vendorid = '2.0'": "vendorid",
    "ratecodeid = '1.00', dolocationid = '2.'": "ratecodeid, dolocationid",
    "fare_amount = 'infinity'": "fare_amount",
    "fare_amount = '-1e29'": "fare_amount",
    "tip_amount = 'NaN'": "tip_amount",
    "lpep_pickup_datetime = 'infinity'": "lpep_pickup_datetime",
    "lpep_pickup_datetime = '10019-03-01'": "lpep_pickup_datetime",
    "lpep_pickup_datetime = '0044-03-15 BC'": "lpep_pickup_datetime",
    "lpep_pickup_datetime = 'epoch'": "lpep_pickup_datetime",
    "lpep_pickup_datetime = '2026-02-03 04:05:06.789'": "lpep_pickup_datetime",  # it was ``now``
    "lpep_dropoff_datetime = '2026-02-02'": "lpep_dropoff_datetime",  # it was ``yesterday``
}
"""Changes of a row to values that only an older parser accepted, and the columns that must be reported."""


def test_values_that_only_an_older_parser_accepted_are_found(loads: Loads) -> None:
    for change, columns in OLDER.items():
        older(loads, change)
        assert refused(loads) == {MARCH_FILE: columns, APRIL_FILE: ""}, change
        loads.ask(f"delete from green_tripdata_2019_03 {LATEST_ROW}")


def test_a_load_replaces_a_month_that_an_older_parser_read_differently(loads: Loads) -> None:
    older(loads, "vendorid = '2.0'")
    assert refused(loads)[MARCH_FILE] == "vendorid"
    assert not loads.load(LINES).unchanged
    assert refused(loads) == {MARCH_FILE: "", APRIL_FILE: ""}
    assert loads.load(LINES).unchanged


def test_each_month_is_checked_once(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    older(loads, "vendorid = '2.0'")
    first = refused(loads)
    monkeypatch.setattr(older_months, "refused_columns", None)
    assert refused(loads) == first
    assert loads.ask("select parser from tripdata_files order by filename") == [(None,), (PARSER,)]


def test_values_that_both_parsers_read_alike_pass(loads: Loads) -> None:
    older(
        loads, "store_and_fwd_flag = '1.0', vendorid = '1.5', fare_amount = -4e28, lpep_pickup_datetime = '2041-01-01'"
    )
    assert refused(loads) == {MARCH_FILE: "", APRIL_FILE: ""}


def test_a_read_only_session_checks_nothing(loads: Loads) -> None:
    older(loads, "vendorid = '2.0'")
    with connect(loads.url) as connection:
        execute(connection, "set default_transaction_read_only = on")
        older_months.check_older_months(connection)
    assert loads.ask("select to_jsonb(f) ? 'refused' from tripdata_files as f") == [(False,), (False,)]


def test_changes_by_hand_are_found_with_inspect(loads: Loads) -> None:
    assert not any(record.changed_by_hand for record in months_in_place(loads.url, inspect=True).values())
    loads.ask(f"delete from green_tripdata_2019_03 {FIRST_ROW}{FLUSH}")
    changed = {name: record.changed_by_hand for name, record in months_in_place(loads.url, inspect=True).items()}
    assert changed == {MARCH_FILE: True, APRIL_FILE: False}
