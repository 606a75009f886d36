"""Which blocks need no parser. That PostgreSQL reads them like the parser is tested in ``postgres/``."""

import pytest

from taxi_platform.trips.reading import RegularRows
from taxi_platform.trips.services import FHV, GREEN, SERVICES, Service
from taxi_platform_tests.support.trip_texts import rows, with_field

CODES = ["vendorid", "ratecodeid", "pulocationid", "dolocationid"]


def is_regular(lines: list[str], service: Service = GREEN, end: str = "\r\n") -> bool:
    return RegularRows(service.first_columns).holds("".join(line + end for line in lines).encode())


def with_value(column: str, value: str, place: int = 25, service: Service = GREEN) -> list[str]:
    """Return good rows, of which one has this value in a column."""
    lines = rows(service, 50)
    lines[place] = with_field(service, lines[place], column, value)
    return lines


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_as_the_tlc_writes_them_are_regular(service: Service, end: str) -> None:
    for count in (1, 2, 50):
        assert is_regular(rows(service, count), service, end)
    assert is_regular(["," * (len(service.first_columns) - 1)], service, end)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("fare_amount", value) for value in ("7", "7.0", ".5", "-.5", "7.", "-200", "13.299999999999999", "9" * 28)),
        *(("store_and_fwd_flag", value) for value in ("B00001         ", "Some Base", "#1-2/3", "1.0")),
    ],
)
def test_numbers_and_texts_are_regular(column: str, value: str) -> None:
    assert is_regular(with_value(column, value))


@pytest.mark.parametrize("place", [0, 25, 49])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((column, value) for column in CODES for value in ("1.0", "1.", "1.00", "74.5", ".0")),
        *(("passenger_count", value) for value in ("1_0", "0x1F", "1.0", "+1", " 1", "1e2", "--1", "N")),
        *(
            ("fare_amount", value)
            for value in ("nan", "Infinity", "0x10", "1e29", "1e3", "+1", " 1 ", "1.2.3", "9" * 29)
        ),
    ],
)
def test_another_spelling_of_a_number_is_not_regular_wherever_it_stands(column: str, value: str, place: int) -> None:
    assert not is_regular(with_value(column, value, place))


@pytest.mark.parametrize("line", ["", "\r", " ", "7", "1,2", rows(GREEN, 1)[0] + ",", rows(GREEN, 1)[0][:-1], "\\."])
@pytest.mark.parametrize("place", [0, 25, 50])
def test_a_line_with_another_number_of_fields_is_not_regular(line: str, place: int) -> None:
    lines = rows(GREEN, 50)
    assert not is_regular([*lines[:place], line, *lines[place:]])


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


@pytest.mark.parametrize("value", ['"N"', '"', "\\N", "\0", "\r", "\t", "é", ":", "12:00:00", "2019-03-01 00:10:16"])
def test_a_text_that_needs_the_parser_is_not_regular(value: str) -> None:
    assert not is_regular(with_value("store_and_fwd_flag", value))
    assert not is_regular(with_value("affiliated_base_number", value, service=FHV), FHV)


def test_a_file_of_free_text_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxi_platform.trips.reading.KNOWN_SHAPES", 10)
    test = RegularRows(FHV.first_columns)
    for letter in range(65, 91):
        line = with_field(FHV, rows(FHV, 1)[0], "affiliated_base_number", chr(letter))
        assert test.holds(f"{line}\n".encode())
    assert len(test._known) < 20  # pyright: ignore[reportPrivateUsage]
