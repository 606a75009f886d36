"""A month that comes as Parquet: the same rows and ids as from CSV, every type that the TLC has used, and bad files."""

import io
import math
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from taxi_platform.errors import BadRows, DamagedFile, FileChanged, SchemaMismatch, TaxiError
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service
from taxi_platform_tests.postgres.test_real_months import DATA
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.parquet_files import parquet, parquet_of, table_of, with_columns, with_footer_rows
from taxi_platform_tests.support.trip_texts import rows, text, with_field, zipped

TLC = DATA / "tlc"
ROW = "select t::text from {} as t order by t::text"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def content_of(loads: Loads, service: Service = GREEN) -> list[tuple[str]]:
    return loads.ask(ROW.format(service.table))


def went_through_the_parser(loads: Loads) -> bool:
    return any("line by line" in line for line in loads.logged)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_row_and_id_is_the_same_as_from_csv(loads: Loads, service: Service) -> None:
    lines = rows(service, 3000)
    lines[5] = with_field(service, lines[5], service.pickup, "2008-12-31 23:59:59")
    if service.has("fare_amount"):
        for number, amount in enumerate(("-0", "1e-7", "12345678901234567", "13.299999999999999", "9.9e28"), 10):
            lines[number] = with_field(service, lines[number], "fare_amount", amount)
        for column in ("vendorid", "store_and_fwd_flag", "ratecodeid", "payment_type"):
            lines[20] = with_field(service, lines[20], column, "")
    loads.load(lines, service)
    as_csv = content_of(loads, service)
    loads.logged.clear()
    assert loads.load(parquet(service, lines), service).rows == 3000
    assert content_of(loads, service) == as_csv
    assert not went_through_the_parser(loads)
    assert any("another edition" in line for line in loads.logged)


def test_whole_numbers_may_have_any_type(loads: Loads) -> None:
    lines = rows(YELLOW, 100)
    loads.load(lines, YELLOW)
    as_csv = content_of(loads, YELLOW)
    codes = dict.fromkeys(("vendorid", "ratecodeid", "pulocationid", "passenger_count", "payment_type"), pa.int64())
    content = parquet(YELLOW, lines, **codes)
    for kind in (pa.int32(), pa.int64(), pa.float64(), pa.uint8(), pa.string(), pa.large_string()):
        table = with_columns(pyarrow.parquet.read_table(io.BytesIO(content)), **dict.fromkeys(codes, kind))
        loads.load(parquet_of(table), YELLOW)
        assert content_of(loads, YELLOW) == as_csv, kind


def test_times_may_have_any_unit(loads: Loads) -> None:
    lines = rows(GREEN, 100)
    loads.load(lines)
    as_csv = content_of(loads)
    for unit in ("s", "ms", "us", "ns"):
        loads.load(parquet(GREEN, lines, lpep_pickup_datetime=pa.timestamp(unit)))
        assert content_of(loads) == as_csv, unit
    assert not went_through_the_parser(loads)


def test_columns_of_type_null_and_dictionaries_are_loaded(loads: Loads) -> None:
    lines = rows(GREEN, 50)
    loads.load(lines)
    as_csv = content_of(loads)
    flags = table_of(GREEN, lines)["store_and_fwd_flag"].dictionary_encode()
    loads.load(parquet(GREEN, lines, ehail_fee=pa.nulls(50), store_and_fwd_flag=flags))
    assert content_of(loads) == as_csv


def test_an_empty_text_is_null_as_in_a_csv(loads: Loads) -> None:
    loads.load(parquet(GREEN, rows(GREEN, 2), store_and_fwd_flag=pa.array(["", "N"])))
    assert loads.one("select count(*) from green_tripdata where store_and_fwd_flag is null") == 1


def test_columns_may_stand_in_any_order(loads: Loads) -> None:
    lines = rows(GREEN, 50)
    loads.load(lines)
    as_csv = content_of(loads)
    table = table_of(GREEN, lines)
    loads.load(parquet_of(table.select(table.column_names[::-1])))
    assert content_of(loads) == as_csv


# Column, its values in three rows, and the parser's result for the second: a stored value, or a problem.
IRREGULAR = [
    ("passenger_count", pa.array([1.0, 1.5, 2.0]), None, "'1.5' is not a whole number"),
    ("passenger_count", pa.array([1, 2**31, 2]), None, "'2147483648' is too large for a whole number"),
    ("vendorid", pa.array([1.0, 1.5, 2.0]), None, "'1.5' is not a whole number"),
    ("vendorid", pa.array([1.0, math.nan, 2.0]), None, "'nan' is not a whole number"),
    ("vendorid", pa.array([1, 2**40, 2]), None, "is too large for a whole number"),
    ("vendorid", pa.array(["1", "2.0", "3"]), "2", ""),
    ("fare_amount", pa.array([1.0, math.nan, 2.0]), None, "'nan' is not a number"),
    ("fare_amount", pa.array([1.0, -math.inf, 2.0]), None, "'-inf' is not a number"),
    ("fare_amount", pa.array([1.0, 1e29, 2.0]), None, "is too large for an amount"),
    ("fare_amount", pa.array(["1", "2.5", "3"]), "2.5", ""),
    ("fare_amount", pa.array(["1", "much", "3"]), None, "'much' is not a number"),
    ("fare_amount", pa.array([None, True, None]), None, "'True' is not a number"),
    ("store_and_fwd_flag", pa.array([1, 2, 3]), "2", ""),
    ("store_and_fwd_flag", pa.array(["Y", "a\0b", "N"]), None, "it holds a NUL byte"),
    ("lpep_pickup_datetime", pa.array(["2019-03-01 00:00:00", "3/1/2019 1:10 PM", None]), "2019-03-01 13:10:00", ""),
    ("lpep_pickup_datetime", pa.array(["2019-03-01 00:00:00", "soon", None]), None, "'soon' is not a date and time"),
    (
        "lpep_pickup_datetime",
        pa.array([0, 1, 0], pa.timestamp("ns")),
        None,
        "'1970-01-01 00:00:00.000000001' is not a date and time",
    ),
    ("lpep_pickup_datetime", pa.array([0, 300_000_000_000, 0], pa.timestamp("s")), None, "is not a date and time"),
    ("lpep_pickup_datetime", pa.array([0, -(2**63), 0], pa.timestamp("us")), None, "is not a date and time"),
    ("lpep_pickup_datetime", pa.array([None, 1, None], pa.date32()), None, "'1970-01-02' is not a date and time"),
    ("lpep_pickup_datetime", pa.array([None, 10**7, None], pa.date32()), None, "'29349-01-26' is not a date and time"),
]


@pytest.mark.parametrize(("column", "values", "stored", "problem"), IRREGULAR)
def test_other_values_go_through_the_parser_which_names_their_rows(
    loads: Loads, column: str, values: pa.Array, stored: str | None, problem: str
) -> None:
    content = parquet(GREEN, rows(GREEN, 3), **{column: values})
    if stored is not None:
        loads.load(content)
        assert loads.ask(f"select 1 from green_tripdata where {column}::text = '{stored}'") == [(1,)]
    else:
        with pytest.raises(
            BadRows, match=r"green_tripdata_2019-03\.parquet: 1 of 3 rows cannot be stored:\n  row 2: "
        ) as bad:
            loads.load(content)
        assert problem in str(bad.value)
        assert loads.load(content, max_bad_rows=1).rejected == 1
        assert loads.ask("select line from green_tripdata_rejects") == [(2,)]
    assert went_through_the_parser(loads)


def damaged(content: bytes) -> dict[str, tuple[bytes, type[TaxiError], str]]:
    name = r"green_tripdata_2019-03\.parquet: "
    return {
        "cut off": (content[:-100], DamagedFile, name + "its footer is missing: the file was cut off"),
        "cut in the middle": (content[:2000] + content[-900:], DamagedFile, name + "it cannot be decoded"),
        "wrong magic": (b"PAR9" + content[4:], DamagedFile, name + "it is not a Parquet file, but binary data"),
        "a web page": (b"<html>Sorry</html>", DamagedFile, name + "it is not a Parquet file, but a web page"),
        "gzip": (zipped(text(GREEN, rows(GREEN, 5))), DamagedFile, "not a Parquet file, but gzip data"),
        "empty": (b"", DamagedFile, "it is empty"),
        "only magic": (b"PAR1", DamagedFile, "the file was cut off"),
        "magic twice": (b"PAR1PAR1", DamagedFile, "the file was cut off"),
        "a footer of nonsense": (b"PAR1" + b"x" * 40 + b"\x28\0\0\0PAR1", DamagedFile, "it cannot be decoded"),
        "a footer that lies": (
            with_footer_rows(content, 1000, 900),
            DamagedFile,
            "its footer contradicts itself about its 900 rows",
        ),
        "a footer that promises more everywhere": (
            with_footer_rows(content, 1000, 1100, everywhere=True),
            DamagedFile,
            "its footer promises 1,100 rows, it has 1,000|cannot be decoded",
        ),
        "no rows": (parquet(GREEN, []), DamagedFile, "it has columns and no rows"),
        "another service's": (parquet(YELLOW, rows(YELLOW, 5)), SchemaMismatch, "missing: 'lpep_pickup_datetime'"),
        "a column missing": (
            parquet(GREEN, rows(GREEN, 5), fare_amount=None),
            SchemaMismatch,
            "missing: 'fare_amount'",
        ),
        "an unknown column": (
            parquet(GREEN, rows(GREEN, 2), colour=pa.array(["red", "blue"])),
            SchemaMismatch,
            "unknown: 'colour'",
        ),
        "times with a zone": (
            parquet(GREEN, rows(GREEN, 2), lpep_pickup_datetime=pa.timestamp("us", "UTC")),
            SchemaMismatch,
            r"'lpep_pickup_datetime' is timestamp\[us, tz=UTC\]",
        ),
        "lists": (
            parquet(GREEN, rows(GREEN, 2), trip_type=pa.array([[1], [2]])),
            SchemaMismatch,
            "'trip_type' is list",
        ),
    }


@pytest.mark.parametrize("which", damaged(parquet(GREEN, rows(GREEN, 1000))))
def test_a_bad_file_is_neither_cached_nor_loaded(loads: Loads, which: str) -> None:
    loads.load(parquet(GREEN, rows(GREEN, 10)))
    before = loads.state()
    content, error, message = damaged(parquet(GREEN, rows(GREEN, 1000)))[which]
    loads.publish(content, as_parquet=True)
    with pytest.raises(error, match=message):
        loads.load()
    assert loads.state() == before


def test_a_flipped_bit_of_a_page_with_a_checksum_is_found(loads: Loads) -> None:
    content = bytearray(parquet(GREEN, rows(GREEN, 100), page_checksums=True))
    content[2000] ^= 1  # among the values
    with pytest.raises(DamagedFile, match="CRC checksum"):
        loads.load(bytes(content))


_READ_MUTATED = """
import sys
from pathlib import Path
from taxi_platform.errors import TaxiError
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import open_trips
from taxi_platform.trips.services import FHV

path = Path(sys.argv[1])
content = path.read_bytes()
start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
for place in range(start, len(content) - 8):
    path.write_bytes(content[:place] + bytes([content[place] ^ 2]) + content[place + 1 :])
    try:
        for _ in open_trips(path, FHV, Month(2019, 3)).blocks():
            pass
    except TaxiError:
        pass
"""


def test_no_damage_of_a_footer_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "fhv_tripdata_2019-03.parquet"
    path.write_bytes(parquet(FHV, rows(FHV, 3)))
    done = subprocess.run(
        [*warm.client_of("dagster"), "python", "-c", _READ_MUTATED, path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_file_that_changes_after_its_verification_is_not_loaded(loads: Loads) -> None:
    loads.publish(parquet(GREEN, rows(GREEN, 10)))
    file = loads.fetch()
    file.path.write_bytes(parquet(GREEN, rows(GREEN, 11)))
    with pytest.raises(FileChanged, match="it is not the file that was verified: 11 rows"):
        load_month(loads.url, file)


def test_a_loaded_parquet_month_is_unchanged_and_recorded(loads: Loads) -> None:
    content = parquet(GREEN, rows(GREEN, 10))
    loads.load(content)
    assert loads.load(content).unchanged
    source, size, count = loads.ask("select source, file_bytes, rows_in_file from tripdata_files")[0]
    assert source.endswith("green_tripdata_2019-03.parquet")
    assert (size, count) == (len(content), 10)


def test_a_folder_with_a_month_in_two_editions_is_an_error_that_names_both(loads: Loads) -> None:
    path = loads.publish(rows(GREEN, 10))
    (loads.folder / "green_tripdata_2019-03.parquet").write_bytes(parquet(GREEN, rows(GREEN, 10)))
    with pytest.raises(DamagedFile, match=rf"in two editions.*{path.name} and .*green_tripdata_2019-03\.parquet"):
        loads.fetch()


def test_a_csv_month_does_not_import_pyarrow(loads: Loads) -> None:
    loads.publish(rows(GREEN, 10))
    with loads.begin(
        prelude="import atexit; atexit.register(lambda: print('arrow:', 'pyarrow' in sys.modules))"
    ) as load:
        output, _ = load.communicate()
    assert "loaded 10" in output
    assert "arrow: False" in output


# Rows and sum(total_amount) as published; pickups outside the month; rows without a flag.
REAL = [
    ("2022-01", 62_495, "1093070.80", 4, 6_295),
    ("2023-01", 68_211, "1486275.22", 4, 4_324),
    ("2023-02", 64_809, "1418317.50", 26, 4_821),
    ("2024-01", 56_551, "1266922.59", 2, 3_415),
    ("2025-11", 46_912, "1181864.70", 21, 5_569),
]


@pytest.mark.skipif(not TLC.is_dir(), reason="the TLC's files are not in ../shared/data/tlc")
@pytest.mark.parametrize(("name", "count", "total", "strays", "without_flag"), REAL)
def test_real_months_have_their_published_totals(
    loads: Loads, name: str, count: int, total: str, strays: int, without_flag: int
) -> None:
    month = Month.parse(name)
    content = (TLC / f"green_tripdata_{month}.parquet").read_bytes()
    assert loads.load(content, month=month).rows == count
    assert loads.ask(
        "select round(sum(total_amount::numeric), 2)::text, "
        "count(*) filter (where to_char(lpep_pickup_datetime, 'YYYY-MM') <> %s), "
        "count(*) filter (where store_and_fwd_flag is null) from green_tripdata",
        name,
    ) == [(total, strays, without_flag)]
    assert not went_through_the_parser(loads)
