"""Header lines: which ones keep the contract, and what is said of those that do not."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import SchemaMismatch
from taxi_platform.settings import PROJECT
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service
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
    assert match(header(service) + "\r\n", service).columns == service.columns


@pytest.mark.parametrize(("end", "expected"), [("\r\n", b"\r\n"), ("\n", b"\n"), ("", b"\n")])
def test_the_line_end_of_the_header_is_known(end: str, expected: bytes) -> None:
    assert match(header(GREEN) + end).line_end == expected


@pytest.mark.parametrize("change", [str.upper, str.lower, str.swapcase])
def test_case_does_not_matter(change: Callable[[str], str]) -> None:
    assert match(change(header(GREEN))).columns == GREEN.columns


def test_spaces_around_names_do_not_matter() -> None:
    assert match(header(YELLOW).replace(",", " ,\t ") + " \r\n", YELLOW).columns == YELLOW.columns


def test_quotes_around_names_do_not_matter() -> None:
    quoted = ",".join(f'"{name}"' for name in header(GREEN).split(","))
    assert match(quoted + "\n").columns == GREEN.columns


def test_a_byte_order_mark_does_not_matter() -> None:
    assert match(b"\xef\xbb\xbf" + header(GREEN).encode()).columns == GREEN.columns


@given(st.randoms(use_true_random=False))
def test_order_is_free_and_kept(order: random.Random) -> None:
    shuffled = header(GREEN).split(",")
    order.shuffle(shuffled)
    assert names(match(",".join(shuffled))) == [name.lower() for name in shuffled]


def test_the_tlcs_own_fhv_header_lacks_the_optional_column() -> None:
    line = "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag\r\n"
    assert match(line, FHV).columns == FHV.columns[:-1]


def test_another_published_spelling_of_a_column_is_known() -> None:
    line = header(FHV).replace("dispatching_base_num", "Dispatching_base_number")
    assert match(line, FHV).columns == FHV.columns


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("trip_distance,", "", "missing: 'trip_distance'"),
        ("trip_distance", "distance", "unknown: 'distance'; missing: 'trip_distance'"),
        ("VendorID", "VendorID,surge,", "unknown: 'surge', ''"),
        ("VendorID", ",VendorID", "unknown: ''"),  # the index column of pandas
        ("trip_distance", "trip_distance,Trip_Distance", "named twice: 'trip_distance'"),
        ("VendorID,", "", "missing: 'VendorID'"),
        ("extra,mta_tax", "mta_tax,mta_tax", "missing: 'extra'; named twice: 'mta_tax'"),
    ],
)
def test_a_header_that_breaks_the_contract_says_how(before: str, after: str, problem: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        match(header(GREEN).replace(before, after, 1))
    assert str(caught.value).startswith(f"{CALLED}: the columns of the header are not those of green trips ({problem})")


def test_the_same_column_under_two_spellings_is_named_twice() -> None:
    with pytest.raises(SchemaMismatch, match="named twice: 'dispatching_base_num'"):
        match("dispatching_base_number," + header(FHV), FHV)


def test_another_services_header_says_what_differs() -> None:
    with pytest.raises(SchemaMismatch, match=r"unknown: 'tpep_pickup_datetime'.*missing: 'lpep_pickup_datetime'"):
        match(header(YELLOW))


@pytest.mark.parametrize(
    "line",
    [row(GREEN, 0), "<!DOCTYPE html>", "", "\r\n", '"never closed', "x" * 200_000],
    ids=["a row", "a page", "nothing", "a blank line", "an open quote", "a long field"],
)
def test_a_first_line_that_is_no_header_is_quoted_in_the_message(line: str) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        match(line)
    message = str(caught.value)
    assert message.startswith(f"{CALLED}: the first line ")
    assert line[:10].strip() in message
    assert len(message) < 300, message


def test_lines_that_end_as_on_the_old_macintosh_are_no_header() -> None:
    with pytest.raises(SchemaMismatch, match=CALLED):
        match("\r".join([header(GREEN), row(GREEN, 0), row(GREEN, 1)]))


def test_bytes_that_are_no_text_are_refused() -> None:
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
        assert set(service.columns) - set(found.columns) <= {FHV.column("affiliated_base_number")}
        assert found.line_end == b"\r\n"


def test_a_column_may_be_absent_from_months_before_it_was_published() -> None:
    newer = replace(GREEN, columns=(*GREEN.columns, replace(GREEN.columns[-1], source="cbd_fee", since=MARCH)))
    line = header(GREEN).encode()
    assert match_header(newer, line, CALLED, MARCH.plus(-1)).columns == GREEN.columns
    with pytest.raises(SchemaMismatch, match="missing: 'cbd_fee'"):
        match_header(newer, line, CALLED, MARCH)
