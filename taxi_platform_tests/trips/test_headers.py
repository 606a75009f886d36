"""Header lines: which ones match the contract, and the messages about those that do not."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import SchemaMismatch
from taxi_platform.settings import PROJECT
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.services import FHV, GREEN, SERVICES, Service
from taxi_platform_tests.support.trip_texts import MARCH, header, row

HEADS = PROJECT.parent / "shared" / "data" / "heads"
ALL = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
CALLED = "green_tripdata_2019-03.csv"


def match(line: str | bytes, service: Service = GREEN) -> Header:
    return match_header(service, line.encode() if isinstance(line, str) else line, CALLED)


def names(found: Header) -> list[str]:
    return [column.name for column in found.columns]


@ALL
def test_the_published_header_gives_the_columns_in_their_order(service: Service) -> None:
    assert match(header(service) + "\r\n", service).columns == service.first_columns


@pytest.mark.parametrize(("end", "expected"), [("\r\n", b"\r\n"), ("\n", b"\n"), ("", b"\n")])
def test_the_line_end_of_the_header_is_detected(end: str, expected: bytes) -> None:
    assert match(header(GREEN) + end).line_end == expected


QUOTED = ",".join(f'"{name}"' for name in header(GREEN).split(","))


@pytest.mark.parametrize(
    "line",
    [
        header(GREEN).upper(),
        header(GREEN).lower(),
        header(GREEN).replace(",", " ,\t ") + " \r\n",
        QUOTED,
        "\ufeff" + QUOTED,
    ],
    ids=["upper case", "lower case", "spaces", "quotes", "a byte order mark"],
)
def test_the_spelling_of_names_does_not_matter(line: str) -> None:
    assert match(line).columns == GREEN.first_columns


@given(st.randoms(use_true_random=False))
def test_columns_may_have_any_order(order: random.Random) -> None:
    shuffled = header(GREEN).split(",")
    order.shuffle(shuffled)
    assert names(match(",".join(shuffled))) == [name.lower() for name in shuffled]


def test_the_tlcs_own_fhv_header_lacks_the_optional_column() -> None:
    line = "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag\r\n"
    assert match(line, FHV).columns == FHV.first_columns[:-1]


def test_another_published_spelling_of_a_column_is_known() -> None:
    line = header(FHV).replace("dispatching_base_num", "Dispatching_base_number")
    assert match(line, FHV).columns == FHV.first_columns


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("trip_distance,", "", "missing: 'trip_distance'"),
        ("trip_distance", "distance", "unknown: 'distance'; missing: 'trip_distance'"),
        ("VendorID", "VendorID,surge,", "unknown: 'surge', ''"),
        ("VendorID", ",VendorID", "unknown: ''"),  # an index column that pandas wrote
        ("trip_distance", "trip_distance,Trip_Distance", "named twice: 'trip_distance'"),
        ("VendorID,", "", "missing: 'VendorID'"),
        ("extra,mta_tax", "mta_tax,mta_tax", "missing: 'extra'; named twice: 'mta_tax'"),
    ],
)
def test_the_message_says_how_a_header_breaks_the_contract(before: str, after: str, problem: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        match(header(GREEN).replace(before, after, 1))
    assert str(caught.value).startswith(f"{CALLED}: the columns of the header are not those of green trips ({problem})")


@pytest.mark.parametrize(
    "line",
    [row(GREEN, 0), "<!DOCTYPE html>", "", "\r\n", '"never closed', "x" * 200_000, "\r".join(["a", row(GREEN, 0)])],
    ids=["a row", "a page", "nothing", "a blank line", "an open quote", "a long field", "CR alone"],
)
def test_a_first_line_that_is_not_a_header_is_not_quoted_in_the_message(line: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        match(line)
    message = str(caught.value)
    assert message.startswith(f"{CALLED}: the first line ")
    assert "a web page" in message if line.startswith("<") else "some text" in message
    assert len(line) < 3 or line[:10] not in message


def test_a_message_stays_short_whatever_the_header_is() -> None:
    with pytest.raises(SchemaMismatch, match=r"unknown: 'x0', 'x1', ") as caught:
        match(header(GREEN) + "".join(f",x{number}" for number in range(10_000)))
    assert len(str(caught.value)) < 2_500
    with pytest.raises(SchemaMismatch) as caught:
        match(header(GREEN) + ",y" + "x" * 100_000)
    assert len(str(caught.value)) < 2_500


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match="the first line is not text"):
        match(b"PAR1\x15\x04\xa0\xff\n")


@pytest.mark.skipif(not HEADS.is_dir(), reason="the real heads are not in ../shared/data/heads")
def test_the_header_of_every_real_month_matches() -> None:
    files = sorted(HEADS.glob("*.csv"))
    assert len(files) == 54
    for path in files:
        service = SERVICES[path.name.partition("_")[0]]
        with path.open("rb") as file:
            found = match_header(service, file.readline(), path.name)
        assert set(service.first_columns) - set(found.columns) <= {FHV.column("affiliated_base_number")}
        assert found.line_end == b"\r\n"


def test_a_column_may_be_absent_from_months_before_it_was_published() -> None:
    newer = replace(
        GREEN, columns=(*GREEN.first_columns, replace(GREEN.first_columns[-1], source="cbd_fee", since=MARCH))
    )
    line = header(GREEN).encode()
    assert match_header(newer, line, CALLED, MARCH.plus(-1)).columns == GREEN.first_columns
    with pytest.raises(SchemaMismatch, match="missing: 'cbd_fee'"):
        match_header(newer, line, CALLED, MARCH)
