"""Exports: a loaded month as one typed Parquet file, what replaces it, and the queries of the documentation."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import duckdb
import fsspec
import psycopg
import pyarrow as pa
import pyarrow.parquet
import pytest

from taxi_platform.errors import DatabaseInterrupted, InvalidSetting, NotLoaded, StorageFull
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.operations import exports
from taxi_platform.operations.exports import export_month, export_path
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import MARCH, rows, with_field

APRIL = Month(2019, 4)


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


def export(loads: Loads, service: Service = GREEN, month: Month = MARCH) -> Path:
    """Export a month into the folder ``exports``, and return its file."""
    place = loads.folder / "exports"
    exported = export_month(loads.url, service, month, str(place))
    path = place / export_path(service, month)
    assert exported.uri == f"file://{path}"
    assert exported.bytes == path.stat().st_size
    assert [found for found in place.rglob("*") if ".part" in found.name] == []
    return path


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_service_is_exported_with_its_rows_values_and_types(loads: Loads, service: Service) -> None:
    lines = rows(service, 300)
    lines[3] = with_field(service, lines[3], service.columns[0].name, "")
    loads.load(lines, service)
    table = pyarrow.parquet.read_table(export(loads, service), partitioning=None)
    kinds = {"text": pa.string(), "timestamp": pa.timestamp("us"), "integer": pa.int32()}
    assert {field.name: field.type for field in table.schema} == {
        "unique_row_id": pa.string(),
        "filename": pa.string(),
        **{column.name: kinds.get(column.postgres, pa.float64()) for column in service.columns},
    }
    names = ", ".join(table.column_names)
    expected = loads.ask(f"select {names} from {service.table}")
    found = [tuple(row.values()) for row in table.to_pylist()]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_the_queries_of_the_documentation_have_the_same_answer(loads: Loads) -> None:
    for month, count in ((MARCH, 500), (APRIL, 300)):
        loads.load(rows(GREEN, count), month=month)
        export(loads, month=month)
    page = (PROJECT / "docs/exports.md").read_text("utf-8")
    of_duckdb, of_postgres = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    answer = duckdb.sql(of_duckdb.replace(".taxi/exports", str(loads.folder / "exports"))).fetchall()
    with psycopg.connect(loads.url) as connection:
        assert answer == connection.execute(of_postgres).fetchall()
    assert {row[:2] for row in answer} == {(2019, 3), (2019, 4)}


def test_a_month_that_is_loaded_again_replaces_its_file_and_one_that_is_gone_removes_it(loads: Loads) -> None:
    for count in (50, 20):
        loads.load(rows(GREEN, count))
        path = export(loads)
        assert pyarrow.parquet.read_metadata(path).num_rows == count
    loads.ask("drop table green_tripdata_2019_03")
    with pytest.raises(NotLoaded, match=r"does not hold this month.*taxi backfill green 2019-03"):
        export(loads)
    assert not path.exists()


def test_a_month_whose_rows_were_changed_by_hand_is_refused_and_its_file_stays(loads: Loads) -> None:
    loads.load(rows(GREEN, 50))
    path = export(loads)
    before = path.read_bytes()
    loads.ask("delete from green_tripdata where ctid = (select min(ctid) from green_tripdata)")
    with pytest.raises(NotLoaded, match=r"holds 49 rows of it, where 50 were loaded.*--all"):
        export(loads)
    assert path.read_bytes() == before


def test_an_export_that_fails_leaves_the_existing_file(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    loads.load(rows(GREEN, 50))
    path = export(loads)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports, "_typed", full)
    with pytest.raises(StorageFull, match="no space left on device"):
        export(loads)
    assert [found.read_bytes() for found in path.parent.iterdir()] == [before]


def test_two_exports_of_a_month_at_once_do_not_disturb_each_other(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads.load(rows(GREEN, 50))
    both, write = Barrier(2, timeout=60), exports._write  # pyright: ignore[reportPrivateUsage]

    def write_and_wait(*arguments: Any) -> int:
        count = write(*arguments)
        both.wait()  # so that both are written before one of them is moved
        return count

    monkeypatch.setattr(exports, "_write", write_and_wait)
    place = str(loads.folder / "exports")
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(export_month, loads.url, GREEN, MARCH, place) for _ in range(2)]
    assert [exported.result().rows for exported in made] == [50, 50]
    (path,) = (found for found in Path(place).rglob("*") if found.is_file())
    assert pyarrow.parquet.read_table(path, partitioning=None).num_rows == 50


def test_a_bucket_is_written_by_fsspec(loads: Loads) -> None:
    loads.load(rows(GREEN, 50))
    exported = export_month(loads.url, GREEN, MARCH, "memory://bucket/trips")
    files = fsspec.filesystem("memory")
    try:
        assert exported.uri == f"memory:///bucket/trips/{export_path(GREEN, MARCH)}"
        assert files.find("/bucket") == [f"/bucket/trips/{export_path(GREEN, MARCH)}"]
        with files.open(exported.uri) as file:
            assert pyarrow.parquet.read_metadata(file).num_rows == 50
    finally:
        files.rm("/bucket", recursive=True)


@pytest.mark.parametrize("place", ["nowhere://ann:pa55word@bucket", "ftp://ann:pa55word@127.0.0.1:1/trips"])
def test_a_place_that_fsspec_does_not_know_or_cannot_reach_is_named_without_its_password(place: str) -> None:
    shown = place.replace("ann:pa55word", r"\*\*\*")
    with pytest.raises(InvalidSetting, match=f"TAXI_EXPORTS={shown}: it cannot be written to") as refused:
        export_month("postgresql://unused", GREEN, MARCH, place)
    assert "pa55word" not in str(refused.value)


def test_what_a_killed_export_has_left_is_removed_after_a_day(loads: Loads) -> None:
    loads.load(rows(GREEN, 50))
    path = export(loads)
    old, new = (path.with_name(f".{path.name}.{name}.part") for name in ("old", "new"))
    for part in (old, new):
        part.touch()
    os.utime(old, (0, 0))
    export_month(loads.url, GREEN, MARCH, str(loads.folder / "exports"))
    assert (old.exists(), new.exists()) == (False, True)


def test_an_export_of_rows_that_were_replaced_meanwhile_fails_and_can_be_repeated(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads.load(rows(GREEN, 50))
    read, records = exports._record, 0  # pyright: ignore[reportPrivateUsage]

    def load_after_the_second(url: str, name: str) -> LoadRecord | None:
        nonlocal records
        records += 1
        record = read(url, name)
        if records == 2:
            loads.load(rows(GREEN, 20))
        return record

    monkeypatch.setattr(exports, "_record", load_after_the_second)
    with pytest.raises(DatabaseInterrupted, match="it was loaded again while it was exported") as failure:
        export(loads)
    assert failure.value.transient
    assert pyarrow.parquet.read_metadata(export(loads)).num_rows == 20


def test_the_asset_exports_a_range_and_names_the_month_that_is_not_loaded(platform: Platform, tmp_path: Path) -> None:
    platform.use(TAXI_EXPORTS=str(tmp_path / "elsewhere"))
    assert platform.run("green_tripdata", month="2019-03").succeeded
    run = platform.run("exports/green", months="2019-03...2019-04")
    assert not run.succeeded
    assert "2019-04: green_tripdata_2019-04.csv: green_tripdata does not hold this month" in run.failure
    assert run.months("exports/green") == ["2019-03"]
    recorded = run.of("exports/green", "2019-03")
    assert recorded["dagster/partition_row_count"] == platform.count("green_tripdata")
    assert recorded["dagster/uri"] == f"file://{tmp_path}/elsewhere/{export_path(GREEN, MARCH)}"
