"""The parser: the records with their lines, other spellings of good values, and the problems of bad rows."""

import csv
import io
import tracemalloc
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.trips.records import (
    LINES_PER_RECORD,
    Canonical,
    Record,
    count_records,
    double_precision,
    read_records,
)
from taxi_platform.trips.services import FHV, GREEN, YELLOW, Service
from taxi_platform_tests.support.trip_texts import rows, stream, text, with_field, zipped

LINES = rows(GREEN, 5)
LINE = LINES[2]


def read(content: bytes, service: Service = GREEN) -> list[Record]:
    return list(read_records(stream(content, service)))


def among(line: str | bytes, end: str = "\r\n", service: Service = GREEN) -> list[Record]:
    """Return the records of a file with this line as line 4, after two good rows and before two more."""
    good = rows(service, 5)
    before, after = text(service, good[:2], end), text(service, good[3:], end).partition(b"\n")[2]
    return read(before + (line.encode() if isinstance(line, str) else line) + end.encode() + after, service)


def field(column: str, value: str, service: Service = GREEN) -> Record:
    """Return the record on line 4 of a file in which one field is as given and all others are good."""
    records = among(with_field(service, rows(service, 5)[2], column, value), service=service)
    assert [record.line for record in records] == [2, 3, 4, 5, 6]
    assert [record.problem for record in records if record.line != 4] == [None] * 4
    return records[2]


def value(column: str, text: str, service: Service = GREEN) -> str:
    """Return what a good field is stored as."""
    record = field(column, text, service)
    assert record.problem is None
    return record.values[[known.name for known in service.first_columns].index(column)]


def problem(column: str, text: str, service: Service = GREEN) -> str:
    """Return the problem of a bad field."""
    record = field(column, text, service)
    assert record.problem is not None
    assert record.values == ()
    assert record.text == with_field(service, rows(service, 5)[2], column, text)
    return record.problem


# Good records


@pytest.mark.parametrize("service", [GREEN, YELLOW, FHV], ids=lambda service: service.name)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_good_rows_come_out_with_numbers_as_postgresql_prints_them(service: Service, end: str) -> None:
    lines = rows(service, 5)
    records = read(text(service, lines, end), service)
    assert [(record.line, record.text, record.problem) for record in records] == [
        (number, line, None) for number, line in enumerate(lines, start=2)
    ]
    for line, record in zip(lines, records, strict=True):
        for field, value, column in zip(line.split(","), record.values, service.first_columns, strict=True):
            assert value == (f"{float(field):g}" if field and column.postgres == "double precision" else field)


@pytest.mark.parametrize("column", ["passenger_count", "payment_type", "trip_type"])
@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("1.0", "1"),
        ("1.", "1"),
        ("1.000", "1"),
        ("-3", "-3"),
        ("+4", "4"),
        (" 5 ", "5"),
        ("007", "7"),
        ("2147483647", "2147483647"),
    ],
)
def test_a_whole_number_may_be_spelled_as_a_float(column: str, spelled: str, meant: str) -> None:
    assert value(column, spelled) == meant


@pytest.mark.parametrize("column", ["vendorid", "ratecodeid", "pulocationid", "dolocationid"])
def test_a_code_may_be_spelled_as_a_float(column: str) -> None:
    assert [value(column, text) for text in ("74.0", "74.", "74", "")] == ["74", "74", "74", ""]


def test_a_text_that_is_not_a_code_is_kept() -> None:
    assert value("store_and_fwd_flag", "1.0") == "1.0"
    assert value("vendorid", " x ") == " x "
    assert value("pulocationid", "74.5") == "74.5"


@pytest.mark.parametrize(
    ("spelled", "printed"),
    [
        (".00", "0"),
        (".68", "0.68"),
        ("7", "7"),
        ("7.00", "7"),
        ("7.", "7"),
        ("-0.5", "-0.5"),
        ("-0", "-0"),
        ("+3", "3"),
        (" 3 ", "3"),
        ("1e3", "1000"),
        ("-1.5E-7", "-1.5e-07"),
        ("13.299999999999999", "13.299999999999999"),
        ("9.9e28", "9.9e+28"),
        ("5e-324", "5e-324"),
    ],
)
def test_amounts_are_spelled_as_postgresql_prints_them(spelled: str, printed: str) -> None:
    assert value("fare_amount", spelled) == printed


@pytest.mark.parametrize("column", ["passenger_count", "fare_amount", "lpep_pickup_datetime"])
@pytest.mark.parametrize("spelled", ["", " ", "\t"])
def test_a_blank_field_is_null(column: str, spelled: str) -> None:
    assert value(column, spelled) == ""


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("2019-03-01 00:10:16", "2019-03-01 00:10:16"),
        ("2019-03-01T00:10:16", "2019-03-01 00:10:16"),
        ("2019-3-1 0:10", "2019-03-01 00:10:00"),
        ("2019-03-01 00:10:16.250", "2019-03-01 00:10:16.25"),
        ("2019-03-01 00:10:16.000", "2019-03-01 00:10:16"),
        ("3019-02-03 17:30:00", "3019-02-03 17:30:00"),
        ("0009-01-02 03:04:05", "0009-01-02 03:04:05"),
        ("2020-02-29 23:59:59", "2020-02-29 23:59:59"),
        ("1/31/2019 0:46", "2019-01-31 00:46:00"),
        ("01/31/2019 12:46:07", "2019-01-31 12:46:07"),
        ("3/1/2019 01:10:16 PM", "2019-03-01 13:10:16"),
        ("3/1/2019 1:10 am", "2019-03-01 01:10:00"),
        ("03/01/2019 12:00:00 AM", "2019-03-01 00:00:00"),
        ("03/01/2019 12:00:00 PM", "2019-03-01 12:00:00"),
        (" 2019-03-01 00:10:16 ", "2019-03-01 00:10:16"),
    ],
)
def test_dates_may_have_the_iso_or_the_american_format(spelled: str, meant: str) -> None:
    assert value("lpep_pickup_datetime", spelled) == meant


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31, 23, 59, 59)))
def test_every_second_from_year_1_to_9999_is_kept(moment: datetime) -> None:
    spelled = moment.replace(microsecond=0).isoformat(sep=" ")
    (record,) = read(text(GREEN, [with_field(GREEN, LINE, "lpep_pickup_datetime", spelled)]))
    assert record.values[1] == spelled


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_not_records_but_count_as_lines(end: str) -> None:
    content = text(GREEN, ["", LINES[0], "", "", LINES[1], ""], end)
    assert [record.line for record in read(content)] == [3, 6]


def test_a_quoted_field_may_hold_commas_quotes_and_line_ends() -> None:
    quoted = '"say ""N"", or\nY"'
    records = among(with_field(GREEN, LINE, "store_and_fwd_flag", "?").replace("?", quoted), "\n")
    assert [record.line for record in records] == [2, 3, 4, 6, 7]
    assert [record.problem for record in records] == [None] * 5
    assert records[2].values[3] == 'say "N", or\nY'
    assert records[2].text == LINE.replace(",Y,", f",{quoted},").replace(",N,", f",{quoted},")


_FIELDS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), max_size=30)


@given(st.lists(st.tuples(_FIELDS, _FIELDS, _FIELDS), min_size=1, max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_what_the_csv_module_wrote_is_read_back(texts: list[tuple[str, str, str]], end: str) -> None:
    moments = ("2019-03-01 00:00:00", "2019-03-01 00:00:01")
    written = [(base, *moments, "1", "2", flag + "x", other) for base, flag, other in texts]
    if any(field.count("\n") >= LINES_PER_RECORD - 3 for record in written for field in record):
        return
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [[c.source for c in FHV.first_columns], *written]
    )
    records = read(zipped(file.getvalue().encode()), FHV)
    assert [record.values for record in records] == written
    assert [record.problem for record in records] == [None] * len(written)


# Bad records


@pytest.mark.parametrize("spelled", ["one", "1.5", "0x10", "1_000", "--1", "1e2", "NaN", "\u0661", "1 2"])
def test_a_count_must_be_a_whole_number(spelled: str) -> None:
    assert problem("passenger_count", spelled) == f"passenger_count {spelled!r} is not a whole number"


@pytest.mark.parametrize("spelled", ["2147483648", "-2147483649", "9" * 30, "9" * 5000, "3000000000.0"])
def test_a_count_that_does_not_fit_is_bad(spelled: str) -> None:
    assert problem("passenger_count", spelled) == f"passenger_count {spelled[:60]!r} is too large for a whole number"


@pytest.mark.parametrize(
    "spelled", ["far", "1.2.3", "0x1F", "1_0.5", "$3", "1e9999", "--1", ".", "-", "\u0663", "nan", "-Infinity", "1 000"]
)
def test_an_amount_must_be_a_number(spelled: str) -> None:
    assert problem("trip_distance", spelled) == f"trip_distance {spelled!r} is not a number"


@pytest.mark.parametrize("spelled", ["1e29", "-1e29", "99999999999999999999999999999.9999999999", "1e400", "9" * 300])
def test_an_amount_must_fit_into_both_warehouses(spelled: str) -> None:
    assert problem("fare_amount", spelled) == f"fare_amount {spelled[:60]!r} is too large for an amount"


@pytest.mark.parametrize("spelled", ["1e-400", "-0.1E-400", "0." + "0" * 400 + "1"])
def test_an_amount_too_small_for_a_double_is_bad(spelled: str) -> None:
    assert problem("fare_amount", spelled) == f"fare_amount {spelled[:60]!r} is too small for an amount"


@pytest.mark.parametrize(
    "spelled",
    [
        "2019-03-01 24:00:00",
        "2019-03-01 23:59:60",
        "3/1/2019 13:00 PM",
        "3/1/2019 0:10 AM",
        "2019-02-30 00:00:00",
        "2019-13-01 00:00:00",
        "2019-03-01 25:00:00",
        "0000-01-01 00:00:00",
        "13/31/2019 0:00",
    ],
)
def test_an_impossible_date_is_bad(spelled: str) -> None:
    assert problem("lpep_pickup_datetime", spelled) == f"lpep_pickup_datetime {spelled!r} is an impossible date or time"


@pytest.mark.parametrize(
    "spelled",
    [
        "now",
        "yesterday",
        "epoch",
        "infinity",
        "2019-03-01",
        "01.03.2019 00:00",
        "20190301 000000",
        "1551398400",
        "2019-03-01T00:10:16Z",
        "2019-03-01 00:10:16+05",
        "2019-03-01 00:10:16 America/Los_Angeles",
        "10019-03-01 00:00:00",
        "2019-03-01 00:10:16 BC",
        "Mar 1 2019 00:10:16",
        "2019-03-01 01:10:16 PM",
    ],
)
def test_a_date_in_another_format_is_bad(spelled: str) -> None:
    assert problem("lpep_pickup_datetime", spelled) == f"lpep_pickup_datetime {spelled!r} is not a date and time"


@pytest.mark.parametrize(
    ("line", "count"), [(LINE + ",", 21), (LINE.rpartition(",")[0], 19), ("2", 1), (" ", 1), (LINE + LINE, 39)]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_too_many_or_too_few_fields_are_counted(line: str, count: int, end: str) -> None:
    bad = among(line, end)[2]
    assert bad == Record(4, line, problem=f"{count} fields where the header has 20")


def test_the_line_of_a_bad_record_counts_blank_lines_and_lines_within_quotes() -> None:
    quoted = with_field(GREEN, LINES[0], "store_and_fwd_flag", '"a\nb\nc"')
    records = read(text(GREEN, ["", quoted, "", "bad", LINES[1]], "\n"))
    assert [(record.line, record.problem) for record in records] == [
        (3, None),
        (7, "1 fields where the header has 20"),
        (8, None),
    ]


def test_an_open_quote_does_not_swallow_the_file() -> None:
    good = rows(GREEN, 3 * LINES_PER_RECORD)
    bad = with_field(GREEN, LINE, "store_and_fwd_flag", '"N')
    records = read(text(GREEN, [bad, *good, LINE + '"', *good]))
    assert sum(record.problem is None for record in records) == 2 * len(good)


def test_a_nul_byte_is_shown_and_refused() -> None:
    bad = among(LINE.encode() + b"\0")[2]
    assert bad == Record(4, LINE + "\\x00", problem="it holds a NUL byte")


@pytest.mark.parametrize("quote", ["", '"'])
def test_bytes_that_are_not_utf8_are_shown_and_refused(quote: str) -> None:
    line = with_field(GREEN, LINE, "store_and_fwd_flag", quote + "?" + quote)
    bad = among(line.encode().replace(b"?", b"\xa0"))[2]
    position = line.index("?") + 1
    assert bad.problem == f"byte 0xA0 at position {position} is not UTF-8"
    assert bad.text == line.replace("?", "\\xa0")


@pytest.mark.parametrize("end", ["", "\r"])
def test_a_last_line_without_its_end_may_be_cut_off(end: str) -> None:
    plain = text(GREEN, LINES, "\n").removesuffix(b"\n") + end.encode()
    records = read(plain)
    assert [record.problem for record in records[:-1]] == [None] * 4
    assert records[-1] == Record(6, LINES[-1], problem="the last line has no line end: the file may be cut off")
    assert [record.problem for record in read(zipped(plain))] == [None] * 5


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace(",", ",\r", 1) + ',"x"',
        '"' + "x" * 200_000 + '"' + LINE,
        '"' * 7,
        '""",' * 9,
        "\r" * 9,
        "\ufeff" + LINE,
    ],
    ids=["a CR beside quotes", "a long field", "quotes", "quotes and commas", "CRs", "a mark"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_unusual_line_does_not_damage_other_lines(line: str, end: str) -> None:
    records = [record for record in among(line, end) if record.line != 4]
    assert [(record.line, record.problem) for record in records] == [(2, None), (3, None), (5, None), (6, None)]


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_arbitrary_bytes_are_read_without_an_error(lines: list[bytes]) -> None:
    for record in read(text(GREEN, LINES[:1]) + b"\n".join(lines)):
        assert (record.problem is None) == bool(record.values)


# The canonical CSV


def canonical(content: bytes, service: Service = GREEN) -> tuple[list[list[str]], list[list[str]]]:
    """Return the rows of the canonical CSV, and those of the list of bad rows."""
    good, bad = io.BytesIO(), io.BytesIO()
    counts = Canonical(stream(content, service), service, bad)
    good.writelines(counts.blocks())
    parsed = [list(csv.reader(io.StringIO(file.getvalue().decode(), newline=""))) for file in (good, bad)]
    assert (counts.rows, counts.rejected) == (len(parsed[0]), len(parsed[1]))
    return parsed[0], parsed[1]


def test_canonical_rows_have_all_columns_in_the_order_of_the_contract() -> None:
    names = [column.source for column in FHV.first_columns if column.name != "affiliated_base_number"][::-1]
    content = "\n".join([",".join(names), ",74.0,75.0,2019-03-01 00:00:00,3/1/2019 0:00,B1", ""]).encode()
    good, _ = canonical(content, FHV)
    assert good == [["B1", "2019-03-01 00:00:00", "2019-03-01 00:00:00", "75", "74", "", ""]]


def test_only_fields_that_need_them_have_quotes() -> None:
    line = with_field(FHV, rows(FHV, 1)[0], "sr_flag", "?").replace("?", '"say ""N"", or\nY"')
    assert b"".join(Canonical(stream(text(FHV, [line]), FHV), FHV, io.BytesIO()).blocks()).decode() == line + "\n"


def test_bad_rows_come_with_line_text_and_reason() -> None:
    lines = rows(GREEN, 5)
    lines[1] = with_field(GREEN, lines[1], "store_and_fwd_flag", '"N" ')
    lines[3] = with_field(GREEN, lines[3], "tip_amount", "nan")
    good, bad = canonical(text(GREEN, lines))
    assert len(good) == 3
    assert bad == [
        ["3", lines[1], "it is not valid CSV (',' expected after '\"')"],
        ["5", lines[3], "tip_amount 'nan' is not a number"],
    ]


def test_only_the_first_bad_rows_are_kept_for_the_message_and_shortened() -> None:
    done = Canonical(stream(text(GREEN, ["no trip" * 100] * 25)), GREEN, io.BytesIO())
    assert list(done.blocks()) == []
    assert (done.rows, done.rejected, len(done.first_rejected)) == (0, 25, 10)
    assert {len(record.text) for record in done.first_rejected} == {100}


def test_fields_of_a_megabyte_take_little_memory() -> None:
    line = with_field(GREEN, LINE, "store_and_fwd_flag", "x" * 900_000)
    content = zipped(text(GREEN, ["", *[line] * 60]))
    tracemalloc.start()
    try:
        assert count_records(stream(content)) == 60
        assert sum(block.count(b"\n") for block in Canonical(stream(content), GREEN, io.BytesIO()).blocks()) == 60
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (7.0, "7"),
        (-0.0, "-0"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.000012, "1.2e-05"),
        (123456789012345.0, "123456789012345"),
        (1e15, "1e+15"),
        (1234567890123456.0, "1.234567890123456e+15"),
        (0.1 + 0.2, "0.30000000000000004"),
        (3.057666453800223e16, "3.0576664538002232e+16"),
        (1e22, "1e+22"),
        (1e100, "1e+100"),
        (-2.5e-101, "-2.5e-101"),
    ],
)
def test_a_double_is_spelled_as_postgresql_prints_it(number: float, printed: str) -> None:
    assert double_precision(number) == printed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_double_means_the_same_number(number: float) -> None:
    assert float(double_precision(number)) == number
