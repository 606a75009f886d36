"""The metadata of materializations, written by the I/O managers and read back by ``events``; schemas that the UI shows.

Dagster keeps these values for years, and the names are those of version 0.1, so a name never changes its meaning.
Older records may lack newer names.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.ledger.record import Materialized
from taxi_platform.postgres import tables
from taxi_platform.trips import zones
from taxi_platform.trips.files import FileFacts, SourceVersion, Transfer, TripFile
from taxi_platform.trips.services import Service, column_comments

if TYPE_CHECKING:
    from taxi_platform.bigquery.loader import LoadedIntoBigQuery
    from taxi_platform.postgres.loader import Loaded

MIB = 1024 * 1024
DOLLARS_PER_TIB = 6.25  # what BigQuery bills in the US multi-region, without the free tier
PROGRESS = ("rows_in_file", "rows_loaded", "rows_rejected", "unchanged", "seconds")
"""The part of a month's metadata that is observed while its run goes on; the materialization contains all of it."""


def plain_values(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    """Return metadata without Dagster's types around its values."""
    return {name: entry.value for name, entry in metadata.items()}


def read_materialization(
    metadata: Mapping[str, dg.MetadataValue[Any]], *, order: int, run_id: str, timestamp: float
) -> Materialized:
    """Return the facts in the metadata of a materialization, of any asset and of any origin."""
    values = plain_values(metadata)
    facts = None
    if "sha256" in values and "rows_in_file" in values:
        sizes = values.get("file_bytes", 0), values.get("csv_bytes", 0)
        facts = FileFacts(*sizes, sha256=values["sha256"], rows=values["rows_in_file"])
    return Materialized(
        order=order,
        run_id=run_id,
        timestamp=timestamp,
        source=values.get("source", ""),
        version=SourceVersion(values.get("etag"), values.get("modified"), values.get("file_bytes")),
        facts=facts,
        rows_loaded=values.get("rows_loaded"),
        landed=bool(values.get("landed")),
        seconds=values.get("seconds", 0.0),
        unchanged=bool(values.get("unchanged")),
    )


def file_metadata(file: TripFile) -> dict[str, Any]:
    """Return the facts of a file that every asset made from it repeats: its source, its sizes and its rows."""
    return {
        "source": dg.MetadataValue.url(file.source) if "://" in file.source else file.source,
        "file": file.name,
        "rows_in_file": file.rows,
        "file_bytes": file.bytes,
        "file_mib": round(file.bytes / MIB, 1),
        "csv_bytes": file.csv_bytes,
        "csv_mib": round(file.csv_bytes / MIB, 1),
        "sha256": file.sha256,
    }


def raw_metadata(fetched: Transfer) -> dict[str, Any]:
    """Return the metadata of a raw file's materialization."""
    file = fetched.file
    known = {"etag": file.version.etag, "modified": file.version.modified, "landed": file.landed or None}
    return {
        **file_metadata(file),
        **{name: value for name, value in known.items() if value is not None},
        "path": dg.MetadataValue.path(file.path),
        "unchanged": not fetched.is_new,
        "seconds": round(fetched.seconds, 3),
        "dagster/partition_row_count": file.rows,
    }


def table_metadata(
    service: Service, file: TripFile, loaded: "Loaded", *, database: str, rows_in_table: int
) -> dict[str, Any]:
    """Return the metadata of one month's materialization in its PostgreSQL table."""
    return {
        **file_metadata(file),
        "rows_loaded": loaded.rows,
        "rows_rejected": loaded.rejected,
        "table": loaded.table,
        "partition_table": loaded.partition,
        "unchanged": loaded.unchanged,
        "seconds": round(loaded.seconds, 3),
        "rows_per_second": round(loaded.rows / loaded.seconds) if not loaded.unchanged else 0,
        "dagster/partition_row_count": loaded.rows,
        "dagster/row_count": rows_in_table,
        "dagster/relation_identifier": f"{database}.{loaded.table}",
        "dagster/column_schema": trips_schema(service),
    }


def dollars(billed: int) -> float:
    """Return the price of bytes that BigQuery has billed."""
    return billed / 2**40 * DOLLARS_PER_TIB


def lake_metadata(stored: Transfer, project: str) -> dict[str, Any]:
    """Return the metadata of one month's materialization in Cloud Storage."""
    file = stored.file
    console = f"https://console.cloud.google.com/storage/browser/_details/{file.object.bucket}/{file.object.name}"
    return {
        **file_metadata(file),
        "dagster/uri": file.uri,
        "console": dg.MetadataValue.url(f"{console}?project={project}"),
        "generation": str(file.object.generation),  # a number of microseconds, larger than the UI can count
        "crc32c": file.object.crc32c,
        **({"storage_class": file.object.storage_class} if file.object.storage_class else {}),
        "unchanged": not stored.is_new,
        "seconds": round(stored.seconds, 3),
        "dagster/partition_row_count": file.rows,
    }


def warehouse_metadata(service: Service, file: TripFile, loaded: "LoadedIntoBigQuery") -> dict[str, Any]:
    """Return the metadata of one month's materialization in BigQuery."""
    jobs = loaded.jobs
    billed = sum(spent.bytes_billed for spent in jobs.values())
    replacing = jobs.get("replace")
    return {
        **file_metadata(file),
        "rows_loaded": loaded.rows,
        "rows_rejected": loaded.rejected,
        "table": loaded.table,
        "object": file.uri,
        "generation": str(file.object.generation),
        "unchanged": loaded.unchanged,
        "line_by_line": loaded.line_by_line,
        "seconds": round(loaded.seconds, 3),
        "rows_per_second": round(loaded.rows / loaded.seconds) if not loaded.unchanged else 0,
        "bytes_processed": sum(spent.bytes_processed for spent in jobs.values()),
        "bytes_billed": billed,
        "dollars": round(dollars(billed), 6),
        "slot_ms": sum(spent.slot_ms for spent in jobs.values()),
        **{f"{step}_seconds": round(spent.seconds, 3) for step, spent in jobs.items()},
        **({"job": dg.MetadataValue.url(replacing.link), "job_id": replacing.job} if replacing else {}),
        "dagster/partition_row_count": loaded.rows,
        "dagster/relation_identifier": loaded.table,
        "dagster/column_schema": warehouse_schema(service),
    }


def file_schema(service: Service) -> dg.TableSchema:
    """Return the columns of a service's files: the names in the published header, and the types they are read as."""
    return _schema((column.source, column.postgres, column.documentation) for column in service.columns)


def trips_schema(service: Service) -> dg.TableSchema:
    """Return the columns of a service's PostgreSQL table."""
    comments = column_comments(service)
    return _schema((name, kind, comments[name]) for name, kind in tables.column_types(service).items())


def warehouse_schema(service: Service) -> dg.TableSchema:
    """Return the columns of a service's BigQuery table."""
    from taxi_platform.bigquery.tables import trip_fields

    return _schema((field.name, field.kind, field.description) for field in trip_fields(service))


def zones_schema() -> dg.TableSchema:
    """Return the columns of the zone lookup's table."""
    return _schema((name, kind, text) for name, (kind, text) in zones.COLUMNS.items())


def _schema(columns: Iterable[tuple[str, str, str]]) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(name, kind, description=text) for name, kind, text in columns])
