"""Real months, compared with their published totals and with an independent COPY of the same file."""

import gzip
from pathlib import Path

import psycopg
import pytest

from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, YELLOW, Service
from taxi_platform_tests.support.month_loads import Loads

DATA = PROJECT.parent / "shared" / "data"
HEADS = DATA / "heads"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real trip files are not in ../shared/data")

# Month, bytes of CSV, rows, pickups outside the month, rows without VendorID, sum of total_amount
EXPECTED = [
    ("2020-04", 3_210_216, 35_612, 6, 11_110, "701002.26"),
    ("2020-06", 5_689_051, 63_109, 2, 24_678, "1450795.86"),
    ("2020-09", 7_954_036, 87_987, 9, 39_347, "2069159.46"),
]

# The course's own expression (flows 04 and 05), with explicit casts instead of implicit ones.
COURSES_ID = """
md5(
    coalesce(cast(vendorid as text), '')
    || coalesce(cast({pickup} as text), '') || coalesce(cast({dropoff} as text), '')
    || coalesce(pulocationid, '') || coalesce(dolocationid, '')
    || coalesce(cast(fare_amount as text), '') || coalesce(cast(trip_distance as text), '')
)"""
FHVS_ID = """
md5(
    coalesce(dispatching_base_num, '') || coalesce(cast(pickup_datetime as text), '')
    || coalesce(cast(dropoff_datetime as text), '') || coalesce(pulocationid, '') || coalesce(dolocationid, '')
    || coalesce(affiliated_base_number, '')
)"""


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def courses_id(service: Service) -> str:
    prefix = {GREEN.name: "lpep", YELLOW.name: "tpep"}.get(service.name)
    return (
        COURSES_ID.format(pickup=f"{prefix}_pickup_datetime", dropoff=f"{prefix}_dropoff_datetime")
        if prefix
        else FHVS_ID
    )


def copy_independently(loads: Loads, path: Path, service: Service) -> None:
    r"""Copy the file into a table as ``\copy expected from file (format csv, header)`` does."""
    columns = service.first_columns if service is not FHV else service.first_columns[:-1]
    definitions = ", ".join(f"{column.name} {column.postgres}" for column in columns)
    data = path.read_bytes()
    with psycopg.connect(loads.url) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop table if exists expected; create table expected ({definitions})".encode())
        with cursor.copy(b"copy expected from stdin (format csv, header)") as copy:
            copy.write(gzip.decompress(data) if path.suffix == ".gz" else data)


def assert_equals_the_copy(loads: Loads, path: Path, service: Service, month: Month) -> None:
    """Check that the month and the copy have the same rows, and that every id is the course's."""
    copy_independently(loads, path, service)
    names = ", ".join(column.name for column in service.first_columns if column.name != "affiliated_base_number")
    table = f"(select {names} from {service.table} where filename = '{service.file_name(month)}')"
    expected = f"(select {names} from expected)"
    for one, other in ((table, expected), (expected, table)):
        assert loads.ask(f"select * from ({one} except all {other}) as differing limit 3") == []
    different = f"select count(*) from {service.table} where unique_row_id is distinct from {courses_id(service)}"
    assert loads.one(different) == 0


@pytest.mark.parametrize(("key", "csv_bytes", "rows", "strays", "without_vendor", "total"), EXPECTED)
def test_a_whole_month_is_in_the_table_to_the_row_and_the_cent(
    loads: Loads, key: str, csv_bytes: int, rows: int, strays: int, without_vendor: int, total: str
) -> None:
    path, month = DATA / f"green_tripdata_{key}.csv.gz", Month.parse(key)
    loaded = loads.load(path.read_bytes(), month=month)
    assert (loaded.rows, loaded.rejected) == (rows, 0)
    assert loads.ask("select rows_in_file, csv_bytes, file_bytes from tripdata_files") == [
        (rows, csv_bytes, path.stat().st_size)
    ]
    found = loads.ask(
        "select count(*), "
        "count(*) filter (where date_trunc('month', lpep_pickup_datetime) <> to_date(%s, 'YYYY-MM')), "
        "count(*) filter (where vendorid is null), sum(total_amount::numeric)::numeric(20, 2)::text, "
        "count(distinct filename), min(filename) from green_tripdata",
        key,
    )
    assert found == [(rows, strays, without_vendor, total, 1, f"green_tripdata_{key}.csv")]
    assert_equals_the_copy(loads, path, GREEN, month)
    assert not any("line by line" in line for line in loads.logged)


@pytest.mark.parametrize("service", [GREEN, YELLOW, FHV], ids=lambda service: service.name)
def test_the_heads_of_published_months_load(loads: Loads, service: Service) -> None:
    paths = sorted(HEADS.glob(f"{service.name}_*.csv"))
    assert len(paths) == 18
    for path in paths[::2]:
        month = Month.parse(path.stem[-7:])
        loaded = loads.load(path.read_bytes(), service, month)
        assert (loaded.rows, loaded.rejected) == (100, 0)
        assert_equals_the_copy(loads, path, service, month)
    assert loads.one(f"select count(*) from {service.table}") == 900
    assert not any("line by line" in line for line in loads.logged)


@pytest.mark.parametrize(
    ("name", "key", "rows", "without_vendor"),
    [
        ("yellow_tripdata_2020-01.999rows.csv", "2020-01", 999, 500),
        ("yellow_tripdata_2021-01.first22792rows.csv", "2021-01", 22_792, 0),
    ],
)
def test_parts_of_yellow_months_load(loads: Loads, name: str, key: str, rows: int, without_vendor: int) -> None:
    month = Month.parse(key)
    loaded = loads.load((DATA / name).read_bytes(), YELLOW, month)
    assert (loaded.rows, loaded.rejected) == (rows, 0)
    assert loads.one("select count(*) from yellow_tripdata where vendorid is null") == without_vendor
    assert_equals_the_copy(loads, DATA / name, YELLOW, month)
    assert not any("line by line" in line for line in loads.logged)
