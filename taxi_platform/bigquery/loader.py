"""Load one month into BigQuery: stage its file as text, then replace the month's partition by one job.

Can be called from a shell. A reader sees the old month or the new one. A load that is killed leaves at most staging
tables, which expire by themselves and which the next load does not use. Of two loads of the same month at once, the
later job wins, because each replaces the whole partition.
"""

import gzip
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from taxi_platform.bigquery import statements, tables
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.errors import JobFailed
from taxi_platform.bigquery.jobs import Jobs, Spent, spent
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.tables import Field, Tables
from taxi_platform.errors import CloudNotReady, DamagedFile
from taxi_platform.trips.columns import Column
from taxi_platform.trips.files import TripFile, edition_of
from taxi_platform.trips.headers import Header
from taxi_platform.trips.reading import TripStream, open_trips
from taxi_platform.trips.records import Canonical, NeedsParser
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJobConfig

    from taxi_platform.trips.parquet import ParquetStream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedIntoBigQuery:
    """What BigQuery holds of one month now."""

    table: str  # with project and dataset
    rows: int  # of the month in it
    rejected: int  # records of the file that are among the rejects instead
    seconds: float  # of the load
    unchanged: bool  # whether the month was there already, from the very same file, and nothing was done
    line_by_line: bool  # whether the file is irregular, so that the parser had to read it
    jobs: dict[str, Spent]  # of the load, by step


def load_month(
    cloud: Cloud,
    file: TripFile,
    *,
    max_bad_rows: float = 0.0,
    force: bool = False,
) -> LoadedIntoBigQuery:
    """Make the month in BigQuery exactly its file, an object of the lake; after an error the table is unchanged.

    Bad rows are set aside among the service's rejects, up to the share ``max_bad_rows`` of all rows and never all of
    them. ``force`` loads even when the table holds this very file already.

    Raises:
        BadRows: more rows cannot be stored; the message names their lines.
        DamagedFile: the object is not the file that was verified.
        SchemaMismatch: the file's header, or the table, is not the contract's.
        CloudRefused: a role or a quota is missing, or BigQuery cannot load the file.
    """
    return _BigQueryLoad(cloud, file, max_bad_rows).run(force=force)


class _BigQueryLoad:
    """One attempt to load one file."""

    def __init__(self, cloud: Cloud, file: TripFile, max_bad_rows: float) -> None:
        self._started = time.monotonic()
        self._service = SERVICES[file.service]
        self._subject = self._service.file_name(file.month)
        self._table = tables.table_of(cloud, self._service)
        self._rejects = tables.rejects_of(cloud, self._service)
        self._cloud = cloud
        self._file = file
        self._max_bad_rows = max_bad_rows
        self._version = tables.version_of(self._service, file)
        self._lake = Lake(cloud)
        self._tables = Tables(cloud)
        self._attempt = uuid4().hex  # so that nobody else uses its staging tables
        self._jobs = Jobs(cloud, self._subject, self._service.name, file.month)
        self._staging: list[str] = []
        self._spent: dict[str, Spent] = {}
        self._order = self._tables.ensure_trips(self._service)

    def run(self, *, force: bool) -> LoadedIntoBigQuery:
        if not force and (existing := self._already_loaded()):
            return existing
        try:
            return self._load_object()
        except NeedsParser as reason:
            self._lake.confirm(self._file)
            logger.info("%s: loading its canonical CSV (%s)", self._subject, reason)
            return self._load_canonical()
        finally:
            for table in self._staging:
                self._tables.drop_staging(table)

    def _loaded(
        self, rows: int, rejected: int, *, unchanged: bool = False, line_by_line: bool = False
    ) -> LoadedIntoBigQuery:
        seconds = time.monotonic() - self._started
        jobs = {} if unchanged else self._spent
        return LoadedIntoBigQuery(self._table, rows, rejected, seconds, unchanged, line_by_line, jobs)

    def _already_loaded(self) -> LoadedIntoBigQuery | None:
        """Return what an earlier load of this very file left, if it is still there completely."""
        rows, rejected = self._rows_in(self._table), 0
        if rows is None:
            return None
        if rows == self._file.rows:
            self._clear_rejects()  # a load that was killed after the replacement has left those of the old file
        if rows < self._file.rows and self._max_bad_rows and self._tables.find(self._rejects):
            rejected = self._rows_in(self._rejects) or 0
        return self._loaded(rows, rejected, unchanged=True) if rows + rejected == self._file.rows else None

    def _rows_in(self, table: str) -> int | None:
        """Return the month's rows in a table; None if some of them are not of this version of the file."""
        found = {
            row[tables.VERSION]: int(row["row_count"])
            for row in self._jobs.rows("look", statements.versions(table, self._file.month))
        }
        return found[self._version] if list(found) == [self._version] else None

    def _load_object(self) -> LoadedIntoBigQuery:
        """Load the object unchanged. Anything irregular stops this before readers see it."""
        if self._file.edition == "parquet":
            raise NeedsParser("its values become a CSV of texts first")
        if not self._file.facts.regular:
            raise NeedsParser("some of its lines are not plain CSV as the TLC writes it")
        header = self._stream().header
        columns = header.columns
        self._ensure_added(header)
        try:
            staging, rows = self._stage("load", self._table, tables.staged_fields(columns), self._file.uri)
            if rows != self._file.rows:
                raise NeedsParser(f"BigQuery reads {rows:,} rows where the file has {self._file.rows:,}")
            self._lake.confirm(self._file)
            self._replace_trips(columns, staging, canonical=False)
        except JobFailed as failed:
            raise NeedsParser(failed.what) from failed
        self._clear_rejects()
        return self._loaded(self._file.rows, 0)

    def _load_canonical(self) -> LoadedIntoBigQuery:
        """Load the canonical CSV of the file."""
        with tempfile.TemporaryFile() as good, tempfile.TemporaryFile() as bad:
            canonical = self._parse(good, bad)
            columns = canonical.columns
            staging = self._stage_written("load", self._table, tables.staged_fields(columns), good, canonical.rows)
            # Rejects first, so that a month whose rows are there has its rejects, too.
            if canonical.rejected:
                self._store_rejects(bad, canonical.rejected)
            self._replace_trips(columns, staging, canonical=True)
        if not canonical.rejected:
            self._clear_rejects()
        return self._loaded(canonical.rows, canonical.rejected, line_by_line=canonical.parsed)

    def _parse(self, good: IO[bytes], bad: IO[bytes]) -> Canonical:
        """Write the file's good and bad records to two compressed files."""
        with _compressed(good) as rows, _compressed(bad) as rejects:
            stream = self._stream()
            self._ensure_added(stream.header)
            canonical = Canonical(stream, self._service, rejects)
            # A header, so that one configuration fits these files and the published ones.
            rows.write(_header(tables.staged_fields(canonical.columns)))
            rejects.write(_header(tables.staged_reject_fields()))
            rows.writelines(canonical.blocks())
        records = canonical.rows + canonical.rejected
        if (stream.sha256, records) != (self._file.sha256, self._file.rows):
            raise DamagedFile(
                self._file.uri,
                f"it is not the file that was verified: {records:,} rows, SHA-256 {stream.sha256}, "
                f"where {self._file.rows:,} and {self._file.sha256} were expected",
                "Materialize its gcs/… asset again with force: true.",
            )
        canonical.check_bad_rows(self._max_bad_rows)
        return canonical

    def _stage(self, step: str, table: str, fields: list[Field], uri: str) -> tuple[str, int]:
        """Load an object into a new staging table; return the table, and how many rows BigQuery has read."""
        staging = tables.staging_of(table, self._file.month, f"{self._attempt}_{len(self._staging)}")
        self._staging.append(staging)
        self._tables.create_staging(staging, fields)
        job = self._jobs.load(step, uri, staging, _csv(fields))
        self._spent[step] = spent(job)
        return staging, int(job.output_rows or 0)

    def _stage_written(self, step: str, table: str, fields: list[Field], content: IO[bytes], rows: int) -> str:
        """Load a file that the parser wrote into a new staging table, and return the table."""
        with self._lake.staged(content, f"{self._service.name}/{self._attempt}_{step}.csv.gz") as uri:
            staging, read = self._stage(step, table, fields, uri)
        if read != rows:
            raise DamagedFile(uri, f"BigQuery reads {read:,} rows where {rows:,} were written", "Run it again.")
        return staging

    def _ensure_added(self, header: Header) -> None:
        """Add the file's columns that the contract does not know to the table, if that is the setting."""
        if header.added:
            self._order = self._tables.ensure_trips(self._service, header.added)

    def _replace_trips(self, columns: Sequence[Column], staging: str, *, canonical: bool) -> None:
        query = statements.staged_trips(
            self._service, self._file.month, columns, self._version, staging, canonical=canonical, order=self._order
        )
        self._spent["replace"] = spent(self._replace(self._table, self._order, query))

    def _store_rejects(self, bad: IO[bytes], count: int) -> None:
        meaning = f"Rows of {self._service.name} files that are not trips: where they are, and why they were rejected."
        order = self._tables.ensure(self._rejects, tables.reject_fields(), (), meaning)
        staging = self._stage_written("load_rejects", self._rejects, tables.staged_reject_fields(), bad, count)
        query = statements.staged_rejects(self._service, self._file.month, self._version, staging)
        self._replace(self._rejects, order, query)

    def _clear_rejects(self) -> None:
        """Remove what an earlier version of the file left among the rejects."""
        if self._tables.find(self._rejects):
            self._jobs.query("clear_rejects", statements.clear_month(self._rejects, self._file.month))

    def _replace(self, table: str, columns: Sequence[str], query: str) -> Any:
        """Replace the month's partition of a table by the rows of a query: all at once, or not at all."""
        try:
            return self._jobs.query("replace", query, destination=tables.partition_of(table, self._file.month))
        except CloudNotReady as error:
            if not self._cloud.bigquery_host or "$" not in error.what:
                raise
            # Emulators do not know partitions as destinations.
            return self._jobs.query("replace", statements.merge_month(table, self._file.month, columns, query))

    def _stream(self) -> "TripStream | ParquetStream":
        chunks = self._lake.read(self._file)
        if edition_of(self._file.name) == "parquet":  # its footer is read first
            with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
                copy.writelines(chunks)
                copy.flush()
                return open_trips(Path(copy.name), self._service, self._file.month)
        return TripStream(chunks, self._service, self._file.month, compressed=self._file.name.endswith(".gz"))


def _compressed(file: IO[bytes]) -> Any:
    return gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0)


def _header(fields: list[Field]) -> bytes:
    return (",".join(field.name for field in fields) + "\n").encode()


def _csv(fields: list[Field]) -> "LoadJobConfig":
    from google.cloud import bigquery

    return bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.CSV,
        autodetect=False,
        schema=tables.api_schema(fields),
        skip_leading_rows=1,
        max_bad_records=0,
        allow_jagged_rows=False,
        allow_quoted_newlines=True,  # free where a file is compressed, because one worker reads it anyway
        ignore_unknown_values=False,
        encoding="UTF-8",
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,  # a table created here would not expire
        write_disposition=bigquery.WriteDisposition.WRITE_EMPTY,
    )
