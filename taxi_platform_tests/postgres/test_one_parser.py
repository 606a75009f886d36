"""A value means the same whether its file is copied unchanged or goes through the parser."""

from collections.abc import Sequence

import pytest

from taxi_platform.trips.reading import RegularRows
from taxi_platform.trips.records import PARSER, read_records
from taxi_platform.trips.services import GREEN, Service
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import row, rows, stream, text, with_field

COPIED = "copied as it is"
PARSED = "parsed"
REFUSED = "refused by PostgreSQL, therefore parsed"
BAD = None


@pytest.fixture
def loads(tmp_path, database: str) -> Loads:
    return Loads(tmp_path, database)


def load(loads: Loads, lines: Sequence[str], service: Service = GREEN) -> str:
    """Load the rows, and return whether they were copied or parsed."""
    loads.logged.clear()
    loads.load(lines, service, max_bad_rows=1, force=True)
    return PARSED if any("line by line" in line for line in loads.logged) else COPIED


# Column, value, how an otherwise regular file with this value is loaded, and the stored text.
VALUES: list[tuple[str, str, str, str | None]] = [
    ("lpep_pickup_datetime", "2019-03-01 00:10:16", COPIED, "2019-03-01 00:10:16"),
    ("lpep_pickup_datetime", "3019-12-31 23:59:59", COPIED, "3019-12-31 23:59:59"),
    ("lpep_pickup_datetime", "3/1/2019 01:10:16 PM", PARSED, "2019-03-01 13:10:16"),
    ("lpep_pickup_datetime", "3/1/2019 1:10 am", PARSED, "2019-03-01 01:10:00"),
    ("lpep_pickup_datetime", "2019-3-1 0:10", PARSED, "2019-03-01 00:10:00"),
    ("lpep_pickup_datetime", "2019-03-01 00:10:16.25", PARSED, "2019-03-01 00:10:16.25"),
    ("lpep_pickup_datetime", "2019-02-30 00:10:16", REFUSED, BAD),
    ("lpep_pickup_datetime", "now", PARSED, BAD),
    ("lpep_pickup_datetime", "yesterday", PARSED, BAD),
    ("lpep_pickup_datetime", "epoch", PARSED, BAD),
    ("lpep_pickup_datetime", "infinity", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01", PARSED, BAD),
    ("lpep_pickup_datetime", "20190301 101010", PARSED, BAD),
    ("lpep_pickup_datetime", "03-01-2019 00:10:16", PARSED, BAD),
    ("lpep_pickup_datetime", "10019-03-01 00:10:16", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01 00:10:16 BC", PARSED, BAD),
    ("lpep_pickup_datetime", "Mar 1 2019 00:10:16", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01T00:10:16Z", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01 00:10:16+05", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01 00:10:16 +05", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01 00:10:16 America/Los_Angeles", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01 24:00:00", PARSED, BAD),
    ("lpep_pickup_datetime", "2019-03-01 23:59:60", PARSED, BAD),
    ("passenger_count", "3", COPIED, "3"),
    ("passenger_count", "-3", COPIED, "-3"),
    ("passenger_count", "007", COPIED, "7"),
    ("passenger_count", "3.0", PARSED, "3"),
    ("passenger_count", "3.00", PARSED, "3"),
    ("passenger_count", "3.", PARSED, "3"),
    ("passenger_count", "1_0", PARSED, BAD),
    ("passenger_count", "0x1F", PARSED, BAD),
    ("passenger_count", "2147483648", REFUSED, BAD),
    ("fare_amount", "7.00", COPIED, "7"),
    ("fare_amount", "-.5", COPIED, "-0.5"),
    ("fare_amount", "13.299999999999999", COPIED, "13.299999999999999"),
    ("fare_amount", "1e3", PARSED, "1000"),
    ("fare_amount", "9.9e28", PARSED, "9.9e+28"),
    ("fare_amount", "1e29", PARSED, BAD),
    ("fare_amount", "1" + "0" * 29, PARSED, BAD),
    ("fare_amount", "1e-400", PARSED, BAD),
    ("fare_amount", "nan", PARSED, BAD),
    ("fare_amount", "-Infinity", PARSED, BAD),
    ("fare_amount", "0x10", PARSED, BAD),
    ("fare_amount", "-", REFUSED, BAD),
    ("vendorid", "2", COPIED, "2"),
    ("vendorid", "2.0", PARSED, "2"),
    ("vendorid", "2.00", PARSED, "2"),
    ("vendorid", "2.", PARSED, "2"),
    ("ratecodeid", "1.0", PARSED, "1"),
    ("pulocationid", "74.00", PARSED, "74"),
    ("vendorid", "2.5", PARSED, "2.5"),
    ("vendorid", "x", COPIED, "x"),
    ("store_and_fwd_flag", "2.0", COPIED, "2.0"),
    ("store_and_fwd_flag", "é", PARSED, "é"),
]


IDS = [f"{column} {value}" for column, value, *_ in VALUES]


def with_value(column: str, value: str, place: int = 3) -> list[str]:
    """Return good rows, of which one has this value."""
    lines = rows(GREEN, 5)
    lines[place] = with_field(GREEN, lines[place], column, value)
    return lines


@pytest.mark.parametrize(("column", "value", "way", "stored"), VALUES, ids=IDS)
def test_only_values_that_the_parser_keeps_are_copied_as_they_are(
    column: str, value: str, way: str, stored: str | None
) -> None:
    content = text(GREEN, with_value(column, value))
    records = list(read_records(stream(content)))
    place = [known.name for known in GREEN.first_columns].index(column)
    assert (None if records[3].problem else records[3].values[place]) == stored
    body = content.partition(b"\n")[2]
    assert RegularRows(GREEN.first_columns).holds(body) == (way != PARSED)


@pytest.mark.parametrize("place", [0, 25, 49])
def test_a_code_with_a_point_becomes_the_number_wherever_it_stands(loads: Loads, place: int) -> None:
    lines = [with_field(GREEN, line, "ratecodeid", "") for line in rows(GREEN, 50)]
    lines[place] = with_field(GREEN, lines[place], "ratecodeid", "1.0")
    load(loads, lines)
    assert loads.one("select string_agg(ratecodeid, ',') from green_tripdata") == "1"


def test_values_mean_the_same_in_a_regular_file_and_beside_a_blank_line(loads: Loads) -> None:
    copied = [value for value in VALUES if value[2] == COPIED]
    lines = [with_field(GREEN, row(GREEN, number), *value[:2]) for number, value in enumerate(copied)]
    assert load(loads, lines) == COPIED
    table = loads.ask("select g::text from green_tripdata as g order by 1")
    assert load(loads, [*lines, ""]) == PARSED
    assert loads.ask("select g::text from green_tripdata as g order by 1") == table
    for column, _, _, stored in copied:
        assert loads.one(f"select count(*) from green_tripdata where {column}::text = %s", stored) >= 1


def test_values_that_are_parsed_are_stored_or_rejected(loads: Loads) -> None:
    lines = [with_field(GREEN, row(GREEN, number), *value[:2]) for number, value in enumerate(VALUES)]
    good = rows(GREEN, 2000, first=1000)  # so that the bad ones are a small share
    assert load(loads, [*lines, *good]) == PARSED
    rejects = loads.ask("select text from green_tripdata_rejects order by line")
    assert rejects == [(line,) for line, value in zip(lines, VALUES, strict=True) if value[3] is BAD]
    for column, _, _, stored in VALUES:
        if stored is not BAD:
            assert loads.one(f"select count(*) from green_tripdata where {column}::text = %s", stored) >= 1


@pytest.mark.parametrize(("column", "value"), [value[:2] for value in VALUES if value[2] == REFUSED])
def test_the_parser_decides_about_values_that_postgresql_refuses(loads: Loads, column: str, value: str) -> None:
    assert load(loads, [*with_value(column, value), *rows(GREEN, 100, first=100)]) == PARSED
    assert loads.one("select count(*) from green_tripdata_rejects") == 1


def test_the_parser_is_recorded_with_the_month(loads: Loads) -> None:
    load(loads, rows(GREEN, 5))
    assert loads.one("select parser from tripdata_files") == PARSER


def test_months_of_version_0_1_have_no_parser_and_stay_loaded(loads: Loads) -> None:
    load(loads, rows(GREEN, 5))
    loads.ask("alter table tripdata_files drop column parser")
    assert loads.load().unchanged
    assert loads.ask("select filename, parser from tripdata_files") == [("green_tripdata_2019-03.csv", None)]
