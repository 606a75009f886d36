"""Rows read line by line for the warehouse: amounts, ids, what is good and what is not."""

import csv
import gzip
import hashlib
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.bigquery.careful import Prepared, double_precision, numeric, prepare
from taxi_platform.trips.services import FHV, GREEN, Service
from taxi_platform_tests.support.trip_texts import row, rows, stream, text, with_field


def read(content: bytes, service: Service = GREEN) -> tuple[Prepared, list[dict[str, str]], list[dict[str, str]]]:
    good, bad = io.BytesIO(), io.BytesIO()
    done = prepare(service, stream(content, service), good, bad)
    parsed = [
        list(csv.DictReader(io.StringIO(gzip.decompress(file.getvalue()).decode(), newline=""))) for file in (good, bad)
    ]
    return done, parsed[0], parsed[1]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (7.0, "7"),
        (6.5, "6.5"),
        (-0.0, "-0"),
        (205654.02, "205654.02"),
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
def test_a_double_is_written_as_postgresql_writes_it(number: float, written: str) -> None:
    assert double_precision(number) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_means_the_same_double(number: float) -> None:
    assert float(double_precision(number)) == number


@pytest.mark.parametrize(
    ("field", "held"),
    [
        ("7.00", "7"),
        (".68", "0.68"),
        ("+5", "5"),
        ("1e-5", "0.00001"),
        ("13.299999999999999", "13.3"),
        ("-2.5000000005", "-2.500000001"),
        ("1e28", "1" + "0" * 28),
        ("99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"),
        ("1e29", None),
        ("99999999999999999999999999999.9999999999", None),
        ("-1e400", None),
        ("nan", None),
        ("-Infinity", None),
    ],
)
def test_an_amount_is_what_numeric_holds_of_it(field: str, held: str | None) -> None:
    assert numeric(field) == held


@given(st.decimals(-(10**28), 10**28, places=9))
def test_nine_digits_behind_the_point_are_all_kept(amount: Decimal) -> None:
    held = numeric(str(amount))
    assert held is not None
    assert Decimal(held) == amount


def test_good_rows_come_out_with_their_ids_in_front() -> None:
    line = with_field(GREEN, row(GREEN, 0), "fare_amount", "7.00")
    done, good, bad = read(text(GREEN, [line]))
    identity = "1" + "2019-03-01 00:00:07" + "2019-03-01 00:00:59" + "1" + "1" + "7" + "0"
    assert good[0]["unique_row_id"] == hashlib.md5(identity.encode()).hexdigest()
    assert (good[0]["fare_amount"], good[0]["total_amount"]) == ("7", "4.3")
    assert bad == []
    assert (done.loaded, done.rejected, done.rows) == (1, 0, 1)


@pytest.mark.parametrize(
    ("column", "field", "kept"),
    [
        ("pulocationid", "7.0", "7"),
        ("passenger_count", "2.0", "2"),
        ("lpep_pickup_datetime", "3/1/2019 0:46", "2019-03-01 00:46:00"),
        ("lpep_pickup_datetime", "2019-03-01T00:46:07.500", "2019-03-01 00:46:07.5"),
        ("fare_amount", " 7 ", "7"),
        ("tip_amount", "1e-3", "0.001"),
        ("store_and_fwd_flag", '"a ""b"", c"', 'a "b", c'),
    ],
)
def test_other_spellings_become_the_plain_one(column: str, field: str, kept: str) -> None:
    line = row(GREEN, 0).split(",")
    line[[known.name for known in GREEN.columns].index(column)] = field
    _, good, bad = read(text(GREEN, [",".join(line)]))
    assert bad == []
    assert good[0][column] == kept


def test_the_id_of_a_row_does_not_depend_on_its_spelling() -> None:
    plain = row(GREEN, 0)
    spelled = with_field(GREEN, with_field(GREEN, plain, "lpep_pickup_datetime", "3/1/2019 0:00:07"), "vendorid", "1.0")
    _, good, _ = read(text(GREEN, [plain, spelled, with_field(GREEN, plain, "fare_amount", "3e0")]))
    assert len({found["unique_row_id"] for found in good}) == 1


def test_bad_rows_come_out_with_line_text_and_reason() -> None:
    lines = rows(GREEN, 5)
    lines[1] = with_field(GREEN, lines[1], "trip_distance", "far")
    lines[3] = with_field(GREEN, lines[3], "tip_amount", "nan")
    done, good, bad = read(text(GREEN, lines))
    assert [(entry["line"], entry["text"]) for entry in bad] == [("3", lines[1]), ("5", lines[3])]
    assert bad[0]["reason"] == "trip_distance 'far' is not a number"
    assert bad[1]["reason"] == "tip_amount 'nan' is not a number"
    assert (len(good), done.loaded, done.rejected) == (3, 3, 2)
    assert [record.line for record in done.first] == [3, 5]


def test_only_the_first_bad_rows_are_kept_for_the_message() -> None:
    done, _, bad = read(text(GREEN, ["no trip"] * 25))
    assert (done.rejected, len(bad), len(done.first)) == (25, 25, 10)


def test_a_file_without_an_optional_column_has_the_ids_of_trips_without_it() -> None:
    lines = [line.rpartition(",")[0] for line in [",".join(column.source for column in FHV.columns), row(FHV, 1)]]
    _, (good,), _ = read("\n".join([*lines, ""]).encode(), FHV)
    values = row(FHV, 1).split(",")
    assert good["unique_row_id"] == hashlib.md5("".join(values[:5]).encode()).hexdigest()
    assert "affiliated_base_number" not in good
