"""The canonical CSV of a Parquet file, made batch by batch: equal to the parser's, or left to the parser."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest

from taxi_platform.errors import DamagedFile
from taxi_platform.trips import exact
from taxi_platform.trips.parquet import ParquetStream
from taxi_platform.trips.records import Canonical, NeedsParser
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_texts import MARCH, rows

AMOUNTS = [None, 0.0, -0.0, 1e-7, 0.0001, 0.1 + 0.2, 7.0, 1e15, 12345678901234567.0, -9.9e28, 5e-324]


def canonical(path: Path, service: Service = GREEN, *, parsed: bool = False) -> bytes:
    written = Canonical(ParquetStream(path, service, MARCH), service, io.BytesIO())
    content = b"".join(written.blocks())
    assert written.parsed is parsed
    return content


def by_parser(monkeypatch: pytest.MonkeyPatch, path: Path, service: Service = GREEN) -> bytes:
    """Return the canonical CSV that the parser makes alone."""

    def refuse(*arguments: object) -> bytes:
        raise NeedsParser("of the test")

    with monkeypatch.context() as patch:
        patch.setattr(exact, "canonical_csv", refuse)
        return canonical(path, service, parsed=True)


def stored(folder: Path, content: bytes) -> Path:
    path = folder / "a.parquet"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_the_canonical_csv_equals_the_parsers_byte_for_byte(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 20 * len(AMOUNTS)
    unusual: dict[str, pa.Array] = {}
    for column in service.columns:
        if column.postgres == "double precision":
            unusual[column.name] = pa.array(AMOUNTS * 20)
        if column.postgres == "timestamp":
            unusual[column.name] = pa.array([0, 1_500_000, -(10**15), None] * (count // 4), pa.timestamp("us"))
    path = stored(tmp_path, parquet(service, rows(service, count), **unusual))
    assert canonical(path, service) == by_parser(monkeypatch, path, service)


def test_texts_that_need_quotes_have_the_parsers_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = pa.array(['a,"b"\r\nc', "ü", None])
    path = stored(tmp_path, parquet(GREEN, rows(GREEN, 3), store_and_fwd_flag=flags))
    ours, parsers = (
        list(csv.reader(io.StringIO(content.decode(), newline="")))
        for content in (canonical(path), by_parser(monkeypatch, path))
    )
    assert ours == parsers


def test_a_batch_with_an_irregular_value_is_left_to_the_parser_which_names_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxi_platform.trips.parquet.BATCH", 10)
    flags = pa.array(["Y"] * 15 + ["a\0b"] + ["Y"] * 14)
    path = stored(tmp_path, parquet(GREEN, rows(GREEN, 30), store_and_fwd_flag=flags))
    written = Canonical(ParquetStream(path, GREEN, MARCH), GREEN, io.BytesIO())
    assert b"".join(written.blocks()).count(b"\n") == written.rows == 29
    assert [(bad.line, bad.problem) for bad in written.first_rejected] == [(16, "it holds a NUL byte")]


def test_a_file_whose_text_is_not_utf_8_is_damaged(tmp_path: Path) -> None:
    flags = pa.Array.from_buffers(pa.string(), 2, pa.array([b"Y", b"\xff"]).buffers())
    with pytest.raises(DamagedFile, match="cannot be decoded"):
        canonical(stored(tmp_path, parquet(GREEN, rows(GREEN, 2), store_and_fwd_flag=flags)))
