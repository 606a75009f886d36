"""Exports: a loaded month as one typed Parquet file, in a folder or a bucket, for DuckDB, pandas, Spark and the like.

The table is what is exported, not the published file. A file appears whole or not at all.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from taxi_platform.errors import DatabaseInterrupted, InvalidSetting, NotLoaded, disk_errors
from taxi_platform.ledger.loaded import read_loaded
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, postgres_errors
from taxi_platform.postgres.frames import TableReference, read_batches
from taxi_platform.redaction import redact
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Exported:
    """The file of one month: where it is, its rows and bytes, and how long it took to write."""

    uri: str
    rows: int
    bytes: int
    seconds: float


def export_path(service: Service, month: Month) -> str:
    """Return where a month is below the place of exports, as engines expect partitions of files."""
    return f"{service.name}/year={month.year}/month={month.month}/{service.table}_{month}.parquet"


def export_month(url: str, service: Service, month: Month, place: str) -> Exported:
    """Write a loaded month to its file below an absolute folder or an address of fsspec's, and replace the file there.

    Raises:
        NotLoaded: the month is not loaded (an earlier export is removed), or its number of rows has changed.
        DatabaseInterrupted: the connection broke, or the month was loaded again meanwhile.
        InvalidSetting: the place is not an address, or a package for it is missing.
    """
    started = time.monotonic()
    files, root = _file_system(place)
    path = f"{root}/{export_path(service, month)}"
    name, load_it = service.file_name(month), f"taxi backfill {service.name} {month}"
    record = _record(url, name)
    if record is None:
        with disk_errors(PurePosixPath(path)):
            if files.exists(path):
                files.rm(path)
        what = f"{service.table} does not hold this month, so there is nothing to export"
        raise NotLoaded(name, what, f"Load it: {load_it}.")
    folder, _, last = path.rpartition("/")
    # Two runs may export a month at once, and in two pods they have the same process id.
    part = f"{folder}/.{last}.{uuid4().hex}.part"
    _remove_abandoned(files, f"{folder}/.{last}.*.part")
    try:
        rows = _write(url, service, month, files, part)
        if _record(url, name) != record:
            raise DatabaseInterrupted(name, "it was loaded again while it was exported", "Try again.")
        if rows != record.rows_loaded:
            what = f"{service.table} holds {rows:,} rows of it, where {record.rows_loaded:,} were loaded"
            raise NotLoaded(name, what, f"Load it again: {load_it} --all.")
        with disk_errors(PurePosixPath(path)):
            files.mv(part, path)
        if _record(url, name) != record:  # another run may have exported the new rows before this one's rename
            raise DatabaseInterrupted(name, "it was loaded again while it was exported", "Try again.")
    finally:
        if files.exists(part):
            files.rm(part)
    return Exported(files.unstrip_protocol(path), rows, files.size(path), time.monotonic() - started)


def _remove_abandoned(files: Any, pattern: str) -> None:
    """Remove what killed exports of this month have left: files that nobody has written to for a day."""
    before = datetime.now(timezone.utc) - timedelta(days=1)
    for path in files.glob(pattern):
        with suppress(FileNotFoundError, NotImplementedError):  # another export has removed it; no times there
            if files.modified(path) < before:
                files.rm(path)


def _record(url: str, name: str) -> LoadRecord | None:
    """Return the load record of a file, if the table holds it as it would be loaded today."""
    with connect(url) as connection, postgres_errors(name):
        record = read_loaded(connection, [name]).get(name)
    return record if record and record.is_in_place else None


def _write(url: str, service: Service, month: Month, files: Any, part: str) -> int:
    """Write a month's rows batch by batch, each as one row group, and return how many they are."""
    import pyarrow.parquet

    batches = read_batches(url, TableReference(tables.table_of(service), [service.file_name(month)]))
    first, rows = next(batches, None), 0
    if first is None:
        return 0
    schema = _schema(service, first.schema)
    with disk_errors(PurePosixPath(part)):
        files.makedirs(part.rpartition("/")[0], exist_ok=True)
        with files.open(part, "wb") as file, pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in chain([first], batches):
                rows += batch.num_rows
                writer.write_batch(_typed(batch, schema))
    return rows


def _schema(service: Service, found: Any) -> "pa.Schema":
    """Return the contract's columns with their types, and after them those that the table got from files."""
    import pyarrow as pa

    from taxi_platform.trips.exact import ARROW_TYPES

    text = ("unique_row_id", "filename")
    types = {**dict.fromkeys(text, pa.string()), **{one.name: ARROW_TYPES[one.postgres] for one in service.columns}}
    added = {field.name: field.type for field in found if field.name not in types}
    return pa.schema([*types.items(), *added.items()])


def _typed(batch: Any, schema: Any) -> "pa.RecordBatch":
    """Return the rows with the columns of a schema; one that the table has not got yet is empty."""
    import pyarrow as pa

    arrays: list[Any] = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else cast("Any", pa).nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _file_system(place: str) -> tuple[Any, str]:
    """Return the file system of a place, and the path of the place in it."""
    import fsspec.core

    try:
        files, root = cast("Any", fsspec.core).url_to_fs(place)
    except (ImportError, ValueError, OSError) as error:
        raise InvalidSetting(
            redact(f"TAXI_EXPORTS={place}"),
            f"it cannot be written to: {redact(str(error))}",
            "Name a folder, or a bucket such as gs://bucket/prefix, for which fsspec needs a package: gcsfs or s3fs.",
        ) from None
    return files, root.rstrip("/")
