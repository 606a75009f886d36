"""The same month has the same ids in PostgreSQL and in BigQuery: real months, and amounts in every spelling."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxi_platform.checks.results import CheckResult
from taxi_platform.checks.warehouses import compare_month
from taxi_platform.postgres.loader import load_month
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.records import double_precision
from taxi_platform.trips.services import FHV, FHVHV, GREEN, YELLOW, Service
from taxi_platform_tests.support.parquet_files import parquet_of
from taxi_platform_tests.support.trip_texts import MARCH, row, rows, with_field
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

DATA = PROJECT.parent / "shared" / "data"


def in_both(
    loads: WarehouseLoads, url: str, content: bytes | Sequence[str], service: Service, month: Month = MARCH
) -> CheckResult:
    loads.load(content, service, month)
    load_month(url, loads.published.fetch(service, month))
    return compare_month(loads.cloud, url, service, month)


def ids(loads: WarehouseLoads, url: str) -> tuple[list[str], list[str]]:
    from taxi_platform.postgres.connection import connect, execute

    with connect(url) as connection:
        there = execute(connection, "select unique_row_id from public.green_tripdata order by 1").fetchall()
    return [found for (found,) in loads.ask("select unique_row_id from `{}.green_tripdata` order by 1")], [
        found for (found,) in there
    ]


@pytest.mark.parametrize(
    ("name", "service", "count"),
    [
        ("green_tripdata_2020-04.csv.gz", GREEN, 35_612),
        ("tlc/yellow_tripdata_2025-01.first1000rows.csv", YELLOW, 1000),
        ("tlc/fhv_tripdata_2025-01.first1000rows.csv", FHV, 1000),
        ("tlc/fhvhv_tripdata_2025-01.first1000rows.csv", FHVHV, 1000),
    ],
)
def test_a_real_month_has_the_same_ids_in_both(
    name: str, service: Service, count: int, loads: WarehouseLoads, database: str
) -> None:
    path: Path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    compared = in_both(loads, database, path.read_bytes(), service)
    assert compared.numbers["bigquery"] == compared.numbers["postgres"]
    assert compared.numbers["postgres"]["rows"] == count


@pytest.mark.parametrize("key", ["2022-01", "2023-02", "2025-11", "2026-06"])
def test_a_real_parquet_month_of_each_generation_is_the_same_in_both(
    key: str, loads: WarehouseLoads, database: str
) -> None:
    published = {"2026-06": "2025-11"}.get(key, key)
    path = DATA / f"tlc/green_tripdata_{published}.parquet"
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    content = path.read_bytes()
    if key != "2025-11":  # the rows without a flag are at the end of a month
        table = pyarrow.parquet.read_table(path)[-8000:]
        if published != key:  # imitate the column of 2026-06: a text in the rows without a flag
            sources = [None if flag else "HV0003" for flag in table["store_and_fwd_flag"].to_pylist()]
            table = table.append_column("request_source", pa.array(sources))
        content = parquet_of(table)
    compared = in_both(loads, database, content, GREEN, Month.parse(key))
    assert compared.numbers["bigquery"] == compared.numbers["postgres"]
    assert compared.numbers["postgres"]["rows"] >= 8_000


def test_amounts_that_are_spelled_in_every_way_have_the_same_ids_in_both(loads: WarehouseLoads, database: str) -> None:
    spellings = ["", "0", "-0", "0.0", "-.00", ".68", "-.5", "7", "7.", "7.00", "007", "+7", "100", "1e2", "1e-5"]
    spellings += ["0.0001", "0.00001", "12345678901.1234", "123456789012345", "0.30000000000000004", " 7 "]
    lines = [
        with_field(GREEN, with_field(GREEN, row(GREEN, number), "fare_amount", text), "trip_distance", text)
        for number, text in enumerate(spellings)
    ]
    for content in (lines, [line for line in lines if "e" not in line.split(",")[9]]):
        in_both(loads, database, content, GREEN)
        ours, theirs = ids(loads, database)
        assert ours == theirs
        assert len(ours) == len(content)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.decimals(-(10**10), 10**10, places=4)
        | st.decimals(-1000, 1000, places=2)
        | st.decimals(-1000, 1000, places=2).map(Decimal.normalize),
        min_size=1,
        max_size=100,
    )
)
def test_plain_amounts_of_any_size_have_the_same_ids_in_both(
    loads: WarehouseLoads, database: str, amounts: list[Decimal]
) -> None:
    lines = [with_field(GREEN, row(GREEN, number), "fare_amount", f"{one:f}") for number, one in enumerate(amounts)]
    assert in_both(loads, database, lines, GREEN).description == f"2019-03: the same {len(lines):,} rows in both"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e22, 1e22, allow_subnormal=False), min_size=1, max_size=100))
def test_a_double_is_written_as_postgresql_itself_writes_it(database: str, numbers: list[float]) -> None:
    import psycopg

    with psycopg.connect(database) as connection:
        written = connection.execute("select x::text from unnest(%s::float8[]) as x", (numbers,)).fetchall()
    assert [double_precision(number) for number in numbers] == [text for (text,) in written]


# Months that differ


def test_the_check_names_the_differences_of_a_month(loads: WarehouseLoads, database: str) -> None:
    in_both(loads, database, rows(GREEN, 10), GREEN)
    loads.load(rows(GREEN, 9))
    compared = compare_month(loads.cloud, database, GREEN, MARCH)
    assert not compared.passed
    assert "2019-03 differs: rows 9 in BigQuery, 10 in PostgreSQL" in compared.description


def test_the_check_notices_a_row_that_replaced_another(loads: WarehouseLoads, database: str) -> None:
    in_both(loads, database, [row(GREEN, 1), row(GREEN, 2)], GREEN)
    loads.load([row(GREEN, 1), row(GREEN, 1)])
    compared = compare_month(loads.cloud, database, GREEN, MARCH)
    assert not compared.passed
    assert "ids" in compared.description


def test_a_month_that_only_one_warehouse_has_passes_the_check(loads: WarehouseLoads, database: str) -> None:
    loads.load(rows(GREEN, 3))
    for url in (None, database):
        compared = compare_month(loads.cloud, url, GREEN, MARCH)
        assert compared.passed
        assert compared.description == "2019-03: not in PostgreSQL, so there is nothing to compare"


def test_the_check_notices_pickups_that_moved_by_hours(loads: WarehouseLoads, database: str) -> None:
    in_both(loads, database, rows(GREEN, 3), GREEN)
    later = "timestamp_add(lpep_pickup_datetime, interval 5 hour)"
    loads.ask(f"update `{{}}.green_tripdata` set lpep_pickup_datetime = {later} where true")
    compared = compare_month(loads.cloud, database, GREEN, MARCH)
    assert not compared.passed
    assert "pickup_seconds" in str(compared.description)
    assert "ids" not in str(compared.description)
