"""Every kind of bad file, from its publication to the table: the error, its message, and an unchanged table.

The last tests load files that are unusual, but valid.
"""

import gzip
import re
from pathlib import Path

import pytest

from taxi_platform.errors import BadRows, DamagedFile, NotPublished, SchemaMismatch, TaxiError
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import APRIL, header, rows, text, with_field, zipped

LINES = rows(GREEN, 50)
LINE = LINES[20]
PLAIN = text(GREEN, LINES)
ZIPPED = zipped(PLAIN)
HEADER = header(GREEN)
NAME = "green_tripdata_2019-03.csv"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def on_line_22(line: str | bytes) -> bytes:
    """Return the good file with its line 22 replaced."""
    return PLAIN.replace(LINE.encode(), line.encode() if isinstance(line, str) else line)


def with_header(line: str) -> bytes:
    return PLAIN.replace(HEADER.encode(), line.encode())


def field(column: str, value: str) -> bytes:
    return on_line_22(with_field(GREEN, LINE, column, value))


DAMAGED: dict[str, tuple[bytes, str]] = {
    "gzip truncated": (ZIPPED[: len(ZIPPED) // 2], "the gzip data ends too early, after [0-9,]+ uncompressed bytes"),
    "gzip without its trailer": (ZIPPED[:-8], "the gzip data ends too early"),
    "gzip with half of its trailer": (ZIPPED[:-4], "the gzip data ends too early"),
    "CRC wrong": (ZIPPED[:-8] + bytes(4) + ZIPPED[-4:], "the gzip data is corrupt after [0-9,]+ uncompressed bytes"),
    "length wrong": (ZIPPED[:-4] + bytes(4), "the gzip data is corrupt"),
    "trailing garbage": (ZIPPED + b"garbage", "some text follows the gzip data"),
    "a second member cut off": (ZIPPED + zipped(b"x" * 99)[:-9], "the gzip data ends too early"),
    "empty": (b"", "it is empty"),
    "nothing compressed": (zipped(b""), "it is empty"),
    "header only": (zipped(text(GREEN, [])), "it has a header and no rows"),
    "header only, without its end": (zipped(HEADER.encode()), "it has a header and no rows"),
    "a line without end": (zipped(PLAIN + b"1" * 2_000_000), "line 52 is longer than 1 MiB"),
}
PAGE = b"<!DOCTYPE html>\n<html><title>Sign in to continue</title></html>\n"
MISMATCHED: dict[str, tuple[bytes, str]] = {
    "no header": (PLAIN.partition(b"\n")[2], "the first line names no column of green trips: it is some text"),
    "a web page": (PAGE, "the first line names no column of green trips: it is a web page"),
    "a column missing": (with_header(HEADER.replace("trip_distance,", "")), "missing: 'trip_distance'"),
    "a column renamed": (with_header(HEADER.replace("extra", "extras")), "unknown: 'extras'; missing: 'extra'"),
    "a column too many": (with_header(HEADER + ",airport_fee"), "unknown: 'airport_fee'"),
    "an index column": (with_header("," + HEADER), "unknown: ''"),
    "a column twice": (with_header(HEADER + ",extra"), "named twice: 'extra'"),
    "another service's header": (with_header(HEADER.replace("lpep", "tpep")), "unknown: 'tpep_pickup_datetime'"),
    "a NUL in the header": (with_header(HEADER.replace("extra", "ex\0tra")), "missing: 'extra'"),
    "a header that is not text": (b"\xff\xfe" + PLAIN, "the first line is not text"),
    "CR alone": (PLAIN.replace(b"\r\n", b"\r"), "the first line is not a header"),
}
BAD_ROWS: dict[str, tuple[bytes, str]] = {
    "a short row": (on_line_22("2,2019-03-01 00:10:16,N"), "3 fields where the header has 20"),
    "a row short by its last field": (on_line_22(LINE.rpartition(",")[0]), "19 fields where the header has 20"),
    "a long row": (on_line_22(LINE + ",7,8"), "22 fields where the header has 20"),
    "no record at all": (on_line_22("Total 50"), "1 fields where the header has 20"),
    "a space": (on_line_22(" "), "1 fields where the header has 20"),
    "text for a number": (field("trip_distance", "far"), "trip_distance 'far' is not a number"),
    "text for a count": (field("passenger_count", "two"), "passenger_count 'two' is not a whole number"),
    "a fraction of a passenger": (field("passenger_count", "1.5"), "passenger_count '1.5' is not a whole number"),
    "too many passengers": (field("passenger_count", "3000000000"), "is too large for a whole number"),
    "a number without end": (field("passenger_count", "9" * 5000), "is too large for a whole number"),
    "an amount too large": (field("fare_amount", "1e999"), "fare_amount '1e999' is too large for an amount"),
    "an impossible date": (
        field("lpep_pickup_datetime", "2019-02-30 00:00:00"),
        "lpep_pickup_datetime '2019-02-30 00:00:00' is an impossible date or time",
    ),
    "an impossible time": (field("lpep_pickup_datetime", "2019-03-01 25:00:00"), "is an impossible date or time"),
    "no date": (field("lpep_dropoff_datetime", "noon"), "lpep_dropoff_datetime 'noon' is not a date and time"),
    "a NUL byte": (field("store_and_fwd_flag", "N\0"), "it holds a NUL byte"),
    "invalid UTF-8": (
        on_line_22(with_field(GREEN, LINE, "store_and_fwd_flag", "?").encode().replace(b"?", b"\xa0")),
        "byte 0xA0 at position [0-9]+ is not UTF-8",
    ),
    "an open quote": (field("store_and_fwd_flag", '"N'), "a quote is opened and never closed"),
    "a stray CR": (on_line_22(LINE.replace(",", ',"x"\r', 1)), "it is not valid CSV"),
}


def failure(loads: Loads, content: bytes, error: type[TaxiError]) -> str:
    """Return the message of a load that fails and leaves a month that was loaded before unchanged."""
    loads.load(LINES[:30])
    before = loads.state()
    loads.publish(content)
    with pytest.raises(error) as caught:
        loads.load()
    assert type(caught.value) is error
    assert not caught.value.transient
    assert loads.state() == before
    loads.wait_for_free_locks()
    return str(caught.value)


@pytest.mark.parametrize(("content", "problem"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_leaves_the_table_as_it_was(loads: Loads, content: bytes, problem: str) -> None:
    message = failure(loads, content, DamagedFile)
    assert re.match(f"{re.escape(NAME)}: {problem}", message)
    assert "Run again; if that does not help, it is broken at its source." in message


def test_a_web_page_that_is_named_as_gzip_leaves_the_table_as_it_was(loads: Loads) -> None:
    loads.load(LINES[:30])
    before = loads.state()
    loads.publish(ZIPPED).write_bytes(PAGE)
    with pytest.raises(DamagedFile, match="it is not a gzip file, but a web page"):
        loads.load()
    assert loads.state() == before


@pytest.mark.parametrize(("content", "problem"), MISMATCHED.values(), ids=MISMATCHED)
def test_a_wrong_header_leaves_the_table_as_it_was(loads: Loads, content: bytes, problem: str) -> None:
    message = failure(loads, zipped(content), SchemaMismatch)
    assert message.startswith(f"{NAME}: the ")
    assert problem in message


@pytest.mark.parametrize(("content", "problem"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_only_the_bad_row_is_set_aside(loads: Loads, content: bytes, problem: str) -> None:
    loaded = loads.load(zipped(content), max_bad_rows=1)
    assert (loaded.rows, loaded.rejected) == (49, 1)
    assert loads.one("select count(distinct lpep_pickup_datetime) from green_tripdata") == 49
    ((file, line, reason),) = loads.ask("select filename, line, reason from green_tripdata_rejects")
    assert (file, line) == (NAME, 22)
    assert re.search(problem, reason)


@pytest.mark.parametrize("kept", [-1, -2, -3, -40], ids=["LF", "CRLF", "a field", "half of the line"])
def test_a_last_line_that_was_cut_leaves_the_table_as_it_was(loads: Loads, kept: int) -> None:
    message = failure(loads, PLAIN[:kept], BadRows)
    assert message.startswith(
        f"{NAME}: 1 of 50 rows cannot be stored:\n  line 51: the last line has no line end: the file may be cut off: "
    )


def test_a_month_that_is_not_published_leaves_the_table_as_it_was(loads: Loads) -> None:
    loads.load(LINES)
    before = loads.state()
    with pytest.raises(NotPublished, match=r"green_tripdata_2019-04\.csv"):
        loads.load(month=APRIL)
    assert loads.state() == before


# Unusual files that are loaded


MIXED = b"".join(line + (b"\r\n", b"\n")[number // 7 % 2] for number, line in enumerate(PLAIN.split(b"\r\n")[:-1]))
TURNED = "".join(",".join(line.split(",")[::-1]) + "\n" for line in [HEADER, *LINES]).encode()
GOOD: dict[str, bytes] = {
    "LF": text(GREEN, LINES, "\n"),
    "CRLF and LF": MIXED,
    "CRLF, then LF": PLAIN[:3000] + PLAIN[3000:].replace(b"\r\n", b"\n"),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "upper case in the header": PLAIN.replace(HEADER.encode(), HEADER.upper().encode()),
    "spaces in the header": PLAIN.replace(HEADER.encode(), HEADER.replace(",", " , ").encode()),
    "columns in another order": TURNED,
    "blank lines": PLAIN.replace(b"\r\n", b"\r\n\r\n", 9) + b"\r\n\n",
    "everything quoted": "".join('"' + line.replace(",", '","') + '"\n' for line in [HEADER, *LINES]).encode(),
    "two members": gzip.compress(PLAIN[:2000]) + gzip.compress(PLAIN[2000:]),
    "zeros behind the end": ZIPPED + bytes(512),
    "no last line end": zipped(PLAIN.removesuffix(b"\r\n")),
}


def test_other_spellings_and_compressions_give_the_same_month(loads: Loads) -> None:
    loads.load(ZIPPED)
    before = loads.state()["green_tripdata"]
    for name, content in GOOD.items():
        loaded = loads.load(content)
        assert (loaded.rows, loaded.rejected, loaded.unchanged) == (50, 0, False), name
        assert loads.state()["green_tripdata"] == before, name


def test_quoted_line_ends_stay_in_their_field(loads: Loads) -> None:
    loads.load(field("store_and_fwd_flag", '"N,\r\nY\n""Z"""'))
    assert loads.ask("select store_and_fwd_flag from green_tripdata where length(store_and_fwd_flag) > 1") == [
        ('N,\r\nY\n"Z"',)
    ]
    assert loads.one("select count(*) from green_tripdata") == 50


def test_implausible_trips_are_loaded_unchanged(loads: Loads) -> None:
    implausible = [
        with_field(GREEN, LINE, "lpep_dropoff_datetime", "2018-12-31 00:00:00"),
        with_field(GREEN, LINE, "total_amount", "-200"),
        with_field(GREEN, LINE, "trip_distance", "205654.12"),
        "," * 19,
    ]
    assert loads.load(implausible).rows == 4
    assert loads.ask("select count(*), min(total_amount), max(trip_distance) from green_tripdata") == [
        (4, -200.0, 205654.12)
    ]
