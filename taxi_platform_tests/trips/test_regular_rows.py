"""Which blocks need no parser: what is regular is read the same by the parser, and anything else is not regular."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taxi_platform.trips.reading import RegularRows
from taxi_platform.trips.records import read_records
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service
from taxi_platform_tests.support.trip_texts import rows, stream, text, with_field

CODES = ["vendorid", "ratecodeid", "pulocationid", "dolocationid"]


def is_regular(lines: list[str], service: Service = GREEN, end: str = "\r\n") -> bool:
    return RegularRows(service.columns).holds("".join(line + end for line in lines).encode())


def with_value(column: str, value: str, place: int = 25, service: Service = GREEN) -> list[str]:
    """Good rows, of which one has this value in a column."""
    lines = rows(service, 50)
    lines[place] = with_field(service, lines[place], column, value)
    return lines


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_rows_as_the_tlc_writes_them_are_regular(service: Service, end: str, count: int) -> None:
    assert is_regular(rows(service, count), service, end)


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_empty_fields_are_regular(service: Service) -> None:
    assert is_regular(["," * (len(service.columns) - 1)], service)


@pytest.mark.parametrize("value", ["7", "7.0", ".5", "-.5", "7.", "-200", "13.299999999999999", "9" * 28])
def test_amounts_are_regular(value: str) -> None:
    assert is_regular(with_value("fare_amount", value))


@pytest.mark.parametrize("value", ["B00001         ", "Some Base, Inc".replace(",", ""), "#1-2/3", "1.0"])
def test_texts_are_regular(value: str) -> None:
    assert is_regular(with_value("affiliated_base_number", value, service=FHV), FHV)


@pytest.mark.parametrize("place", [0, 25, 49])
@pytest.mark.parametrize("column", CODES)
@pytest.mark.parametrize("value", ["1.0", "1.", "1.00", "74.5", ".0"])
def test_a_code_with_a_point_is_not_regular_wherever_it_stands(column: str, value: str, place: int) -> None:
    assert not is_regular(with_value(column, value, place))


@pytest.mark.parametrize("place", [0, 25, 49])
@pytest.mark.parametrize(
    "value",
    [
        "now",
        "yesterday",
        "epoch",
        "infinity",
        "2019-03-01",
        "20190301 101010",
        "2019-03-01T00:10:16Z",
        "2019-03-01 00:10:16+05",
        "2019-03-01 00:10:16-05",
        "2019-03-01 00:10:16 BC",
        "Mar 1 2019 00:10:16",
        "2019-03-01 24:00:00",
        "2019-03-01 23:59:60",
        "2019-03-01 024:00:00",
        "2019-03-01 23:59:060",
        "10019-03-01 00:10:16",
        "019-03-01 00:10:16",
        "03-01-2019 00:10:16",
        "03-01-19 00:10:16",
        "2019-3-1 00:10:16",
        "2019-03-01 0:10:16",
        "2019-03-01 00:1:16",
        "2019-03-01 00:10:6",
        "2019-03-01 00:10",
        "2019-03-01  00:10:16",
        "3/1/2019 01:10:16 PM",
        "2019-03-01 00:10:16.5",
        " 2019-03-01 00:10:16",
        "2019-03-01 00:10:16 ",
        "00:10:16",
    ],
)
def test_a_time_that_is_spelled_in_any_other_way_is_not_regular(value: str, place: int) -> None:
    assert not is_regular(with_value("lpep_pickup_datetime", value, place))
    assert not is_regular(with_value("pickup_datetime", value, place, FHV), FHV)


@pytest.mark.parametrize("value", ["1_0", "0x1F", "1.0", "+1", " 1", "1e2", "--1", "N"])
def test_a_count_that_is_spelled_in_any_other_way_is_not_regular(value: str) -> None:
    assert not is_regular(with_value("passenger_count", value))


@pytest.mark.parametrize("value", ["nan", "Infinity", "0x10", "1e29", "1e3", "+1", " 1 ", "1.2.3", "$3", "9" * 29])
def test_an_amount_that_is_spelled_in_any_other_way_is_not_regular(value: str) -> None:
    assert not is_regular(with_value("fare_amount", value))


@pytest.mark.parametrize("line", ["", "\r", " ", "7", "1,2", rows(GREEN, 1)[0] + ",", rows(GREEN, 1)[0][:-1], "\\."])
@pytest.mark.parametrize("place", [0, 25, 50])
def test_a_line_with_another_number_of_fields_is_not_regular(line: str, place: int) -> None:
    lines = rows(GREEN, 50)
    assert not is_regular([*lines[:place], line, *lines[place:]])


@pytest.mark.parametrize("value", ['"N"', '"', "\\N", "\0", "\r", "\t", "é", ":", "12:00:00", "2019-03-01 00:10:16"])
def test_a_text_that_needs_a_second_look_is_not_regular(value: str) -> None:
    assert not is_regular(with_value("store_and_fwd_flag", value))
    assert not is_regular(with_value("affiliated_base_number", value, service=FHV), FHV)


def test_a_file_of_free_text_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxi_platform.trips.reading.KNOWN_SHAPES", 10)
    test = RegularRows(FHV.columns)
    for letter in range(65, 91):
        line = with_field(FHV, rows(FHV, 1)[0], "affiliated_base_number", chr(letter))
        assert test.holds(f"{line}\n".encode())
    assert len(test._known) < 20  # pyright: ignore[reportPrivateUsage]


_VALUES = st.one_of(
    st.text(st.sampled_from('0123456789-: .NYeEx_+/TPM,"\\é'), max_size=22),
    st.from_regex(r"\A\d{2,5}-\d{1,3}-\d{1,3} \d{1,3}:\d{1,2}:\d{1,2}\Z"),
    st.from_regex(r"\A-?\d{0,30}\.?\d{0,3}\Z"),
)


@given(
    st.sampled_from([(service, column) for service in (GREEN, YELLOW, FHV) for column in service.columns]),
    _VALUES.filter(lambda value: "," not in value),
)
@example((GREEN, GREEN.column("lpep_pickup_datetime")), "2019-03-01 29:00:00")
@example((GREEN, GREEN.column("vendorid")), "07")
def test_what_is_regular_is_a_good_row_or_refused_by_the_database(choice: tuple, value: str) -> None:
    """Regular fields mean to PostgreSQL what the parser reads; tests of the loader compare the two in tables."""
    service, column = choice
    line = with_field(service, rows(service, 1)[0], column.name, value)
    if not is_regular([line], service):
        return
    (record,) = read_records(stream(text(service, [line]), service))
    if record.problem is None:
        stored = record.values[service.columns.index(column)]
        if column.postgres in ("text", "timestamp"):
            assert stored == value
        elif value:
            assert float(stored) == float(value)
