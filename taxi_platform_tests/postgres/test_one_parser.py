"""One value is one row or one bad row, whether its file is copied as it is or goes through the parser."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxi_platform.trips.records import PARSER, Record, read_records
from taxi_platform.trips.services import FHV, GREEN, Service
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import rows, stream, text, with_field

COPIED = "copied as it is"
PARSED = "parsed"
BAD = None


@pytest.fixture
def loads(tmp_path, database: str) -> Loads:
    return Loads(tmp_path, database)


def load(loads: Loads, lines: Sequence[str], service: Service = GREEN) -> str:
    """Load the rows, and return how that was done."""
    loads.said.clear()
    loads.load(lines, service, on_bad_rows="quarantine", force=True)
    return PARSED if any("line by line" in line for line in loads.said) else COPIED


# Value, how a file is loaded that is regular but for it, and what is stored of it.
VALUES: list[tuple[str, str, str, str | None]] = [
    ("lpep_pickup_datetime", "2019-03-01 00:10:16", COPIED, "2019-03-01 00:10:16"),
    ("lpep_pickup_datetime", "3019-12-31 23:59:59", COPIED, "3019-12-31 23:59:59"),
    ("lpep_pickup_datetime", "3/1/2019 01:10:16 PM", PARSED, "2019-03-01 13:10:16"),
    ("lpep_pickup_datetime", "3/1/2019 1:10 am", PARSED, "2019-03-01 01:10:00"),
    ("lpep_pickup_datetime", "2019-3-1 0:10", PARSED, "2019-03-01 00:10:00"),
    ("lpep_pickup_datetime", "2019-03-01 00:10:16.25", PARSED, "2019-03-01 00:10:16.25"),
    ("lpep_pickup_datetime", "2019-02-30 00:10:16", PARSED, BAD),
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
    ("passenger_count", "2147483648", PARSED, BAD),
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
    ("fare_amount", "-", PARSED, BAD),
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


@pytest.mark.parametrize("value", ["1.0", "1.00", "1."])
@pytest.mark.parametrize("place", [0, 25, 49])
def test_a_code_with_a_point_becomes_the_number_wherever_it_stands(loads: Loads, value: str, place: int) -> None:
    lines = [with_field(GREEN, line, "ratecodeid", "") for line in rows(GREEN, 50)]
    lines[place] = with_field(GREEN, lines[place], "ratecodeid", value)
    load(loads, lines)
    assert loads.one("select string_agg(ratecodeid, ',') from green_tripdata") == "1"
    load(loads, [*lines, ""])
    assert loads.one("select string_agg(ratecodeid, ',') from green_tripdata") == "1"


@pytest.mark.parametrize(("column", "value", "way", "stored"), VALUES, ids=[f"{c} {v}" for c, v, *_ in VALUES])
def test_a_value_means_the_same_in_a_regular_file_and_beside_a_blank_line(
    loads: Loads, column: str, value: str, way: str, stored: str | None
) -> None:
    lines = rows(GREEN, 5)
    lines[3] = with_field(GREEN, lines[3], column, value)
    assert load(loads, lines) == way
    table = loads.ask("select g::text from green_tripdata as g order by 1")
    rejects = loads.ask("select text, reason from green_tripdata_rejects")
    assert load(loads, [*lines, ""]) == PARSED
    assert loads.ask("select g::text from green_tripdata as g order by 1") == table
    assert loads.ask("select text, reason from green_tripdata_rejects") == rejects
    if stored is BAD:
        assert (len(table), len(rejects)) == (4, 1)
    else:
        assert loads.one(f"select count(*) from green_tripdata where {column}::text = %s", stored) >= 1
        assert (len(table), len(rejects)) == (5, 0)


def test_the_parser_is_recorded_with_the_month(loads: Loads) -> None:
    load(loads, rows(GREEN, 5))
    assert loads.one("select parser from tripdata_files") == PARSER


def test_months_of_version_0_1_have_no_parser_and_stay(loads: Loads) -> None:
    load(loads, rows(GREEN, 5))
    loads.ask("alter table tripdata_files drop column parser")
    assert loads.load().unchanged
    assert loads.ask("select filename, parser from tripdata_files") == [("green_tripdata_2019-03.csv", None)]


_FIELDS = st.one_of(
    st.text(st.sampled_from("0123456789-: .NYeE+/TPM"), max_size=22),
    st.from_regex(r"\A(19|20)\d\d-[01]?\d-[0-3]?\d [0-2]?\d:[0-6]\d:[0-6]\d\Z"),
    st.from_regex(r"\A-?\d{0,30}\.?\d{0,3}\Z"),
    st.sampled_from([value for _, value, *_ in VALUES]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("service", [GREEN, FHV], ids=["green", "fhv"])
def test_the_table_is_what_the_parser_reads_whichever_way_a_file_takes(
    loads: Loads, service: Service, data: st.DataObject
) -> None:
    lines = rows(service, 3)
    column = data.draw(st.sampled_from([column.name for column in service.columns]))
    lines[1] = with_field(service, lines[1], column, data.draw(_FIELDS))
    load(loads, lines, service)
    records = list(read_records(stream(text(service, lines), service)))
    names = ", ".join(f"coalesce({column.name}::text, '')" for column in service.columns)
    stored = loads.ask(f"select {names} from {service.table}")
    assert sorted(stored) == sorted(_values(records))
    rejects = loads.ask(f"select line, text, reason from {service.table}_rejects")
    assert rejects == [(record.line, record.text, record.problem) for record in records if record.problem]


def _values(records: Sequence[Record]) -> list[tuple[str, ...]]:
    return [record.values for record in records if record.problem is None]
