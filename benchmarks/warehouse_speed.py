"""Loading a month from its file into BigQuery, against the bare clients' upload, load and replacement, on emulators."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any, cast

from benchmarks.lake_speed import MIB, MOST, bare_upload, project, remove
from benchmarks.pairs import in_turn, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.bigquery import statements, tables
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import Lake, uri_of
from taxi_platform.bigquery.loader import load_month
from taxi_platform.bigquery.tables import Tables
from taxi_platform.settings import PROJECT
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.headers import Header
from taxi_platform.trips.keys import stored_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import TripStream, read_chunks
from taxi_platform.trips.services import GREEN

MONTH = Month(2020, 4)
GENUINE = PROJECT.parent / "shared" / "data"
ROWS = 35_612  # rows of the genuine month, and of the sample month that is used if the genuine one is not available


def measure(bench: Workbench, _: int, count: int) -> Iterator[Finding]:
    """Compare upload, load and replacement of a green month, with all checks, with the bare clients' three calls."""
    with project(bench) as cloud:
        file = _file(bench)
        header = TripStream(read_chunks(file.path, 64 * 1024), GREEN, MONTH, compressed=True).header
        table = tables.table_of(cloud, GREEN)
        Tables(cloud).ensure(table, tables.trip_fields(GREEN), tables.clustering(GREEN), "")
        ours, bare = in_turn([lambda: _ours(cloud, file), lambda: _bare(cloud, file, header)], count)
    ratios = [mine / other for mine, other in zip(ours, bare, strict=True)]
    yield Finding(
        f"a month of {file.rows:,} rows ({file.bytes / MIB:.1f} MiB) into BigQuery, against the bare clients",
        f"≤ {MOST} times",
        f"{spread(ratios)} times",
        median(ratios) <= MOST,
        f"{spread(ours)} s against {spread(bare)} s; upload, load job and replacement, on the emulators",
    )


def _file(bench: Workbench) -> TripFile:
    if (GENUINE / f"{GREEN.file_name(MONTH)}.gz").exists():
        return Cache(bench.folder / "raw", FolderSource(GENUINE)).get(GREEN, MONTH).file
    return bench.file(GREEN, MONTH, ROWS)


def _ours(cloud: Cloud, file: TripFile) -> float:
    _empty(cloud, file)
    started = time.perf_counter()
    load_month(cloud, Lake(cloud).put(file).file)
    return time.perf_counter() - started


def _bare(cloud: Cloud, file: TripFile, header: Header) -> float:
    """Return the seconds of three calls of the clients, with the platform's schema and statement."""
    from google.cloud import bigquery

    _empty(cloud, file)
    table = tables.table_of(cloud, GREEN)
    staging = f"{table}_bare"
    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField(column.name, "STRING") for column in header.columns],
        source_format=bigquery.SourceFormat.CSV,
        skip_leading_rows=1,
    )
    rows = statements.staged_trips(GREEN, MONTH, header.columns, 1, staging, canonical=False)
    statement = statements.merge_month(table, MONTH, [field.name for field in tables.trip_fields(GREEN)], rows)
    client = cast("Any", cloud.bigquery)
    started = time.perf_counter()
    bare_upload(cloud, file)
    uri = uri_of(cloud.bucket, stored_name(file.service, file.name))
    client.load_table_from_uri(uri, staging, job_config=config).result()
    client.query(statement).result()
    client.delete_table(staging)
    return time.perf_counter() - started


def _empty(cloud: Cloud, file: TripFile) -> None:
    remove(cloud, file)
    cast("Any", cloud.bigquery).query_and_wait(f"delete from `{tables.table_of(cloud, GREEN)}` where true")
