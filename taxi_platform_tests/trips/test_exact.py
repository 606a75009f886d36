"""The canonical CSV of a Parquet file that is made batch by batch: the same as the parser's, or none."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest

from taxi_platform.errors import DamagedFile
from taxi_platform.trips.exact import CanonicalBatches
from taxi_platform.trips.parquet import ParquetStream
from taxi_platform.trips.records import Canonical, NeedsParser
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_texts import MARCH, rows

AMOUNTS = [None, 0.0, -0.0, 1e-7, 0.0001, 0.1 + 0.2, 7.0, 1e15, 12345678901234567.0, -9.9e28, 5e-324]


def canonical(kind: type[Canonical], path: Path, service: Service = GREEN) -> bytes:
    return b"".join(kind(ParquetStream(path, service, MARCH), service, io.BytesIO()).blocks())


def stored(folder: Path, content: bytes) -> Path:
    path = folder / "a.parquet"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_it_is_byte_for_byte_the_parsers(service: Service, tmp_path: Path) -> None:
    count = 20 * len(AMOUNTS)
    odd: dict[str, pa.Array] = {}
    for column in service.columns:
        if column.postgres == "double precision":
            odd[column.name] = pa.array(AMOUNTS * 20)
        if column.postgres == "timestamp":
            odd[column.name] = pa.array([0, 1_500_000, -(10**15), None] * (count // 4), pa.timestamp("us"))
    path = stored(tmp_path, parquet(service, rows(service, count), **odd))
    assert canonical(CanonicalBatches, path, service) == canonical(Canonical, path, service)


def test_texts_that_need_quotes_mean_the_same(tmp_path: Path) -> None:
    flags = pa.array(['a,"b"\r\nc', "ü", None])
    path = stored(tmp_path, parquet(GREEN, rows(GREEN, 3), store_and_fwd_flag=flags))
    ours, parsers = (
        list(csv.reader(io.StringIO(canonical(kind, path).decode(), newline="")))
        for kind in (CanonicalBatches, Canonical)
    )
    assert ours == parsers


def test_a_nul_byte_is_left_to_the_parser_and_what_is_not_utf_8_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(NeedsParser, match="NUL byte"):
        canonical(
            CanonicalBatches,
            stored(tmp_path, parquet(GREEN, rows(GREEN, 2), store_and_fwd_flag=pa.array(["Y", "a\0b"]))),
        )
    flags = pa.Array.from_buffers(pa.string(), 2, pa.array([b"Y", b"\xff"]).buffers())
    with pytest.raises(DamagedFile, match="cannot be decoded"):
        canonical(CanonicalBatches, stored(tmp_path, parquet(GREEN, rows(GREEN, 2), store_and_fwd_flag=flags)))
