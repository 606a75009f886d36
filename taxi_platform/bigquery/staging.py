"""Bringing a file of the lake into a staging table: as it is, or prepared line by line. Nobody reads staging tables."""

import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.careful import Prepared, prepare
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.jobs import LABELS, Jobs
from taxi_platform.bigquery.lake_file import STAGING, uri_of
from taxi_platform.bigquery.lake_reading import BEGINNING, LakeReader
from taxi_platform.bigquery.outcomes import JobFailed, Spent
from taxi_platform.bigquery.patience import PATIENT, Patience
from taxi_platform.bigquery.schema import Field, staged_fields
from taxi_platform.bigquery.tables import Tables
from taxi_platform.errors import CloudNotReady, DamagedFile
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.headers import Header
from taxi_platform.trips.reading import TripStream
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJobConfig

Log = Callable[[str], None]


class NotPlain(Exception):
    """The file needs the careful reading; nothing is wrong with it yet."""


class Staging:
    """One attempt's staging of one file.

    Args:
        cloud: the project, its bucket and its dataset.
        file: the file.
        jobs: the attempt's.
        tables: where staging tables are made.
        log: where progress is told.
        patience: how long Google is asked again.
    """

    def __init__(
        self, cloud: Cloud, file: TripFile, jobs: Jobs, tables: Tables, log: Log, patience: Patience = PATIENT
    ) -> None:
        self._cloud = cloud
        self._file = file
        self._jobs = jobs
        self._tables = tables
        self._log = log
        self._patience = patience
        self._service = SERVICES[file.service]
        self._made: list[str] = []

    def header(self) -> Header:
        """The columns of the file, in its order.

        Raises:
            SchemaMismatch, DamagedFile: the object is none of this service's trips.
            CloudNotReady, CloudRefused, CloudUnavailable: it cannot be read.
        """
        return self._stream(BEGINNING).header

    def load_as_it_is(self, header: Header, table: str) -> Spent:
        """Have BigQuery read the object itself, every field as text.

        Raises:
            NotPlain: it cannot, or finds other rows than were counted.
            CloudNotReady, CloudRefused, CloudUnavailable: it does not take the job.
        """
        if not self._is_compressed() and not self._reader().ends_with_a_line():
            raise NotPlain("its last line has no line end")
        try:
            rows, spent = self._load("load", self._file.uri, table, staged_fields(header))
        except JobFailed as failed:
            raise NotPlain(f"BigQuery says: {failed}") from failed
        if rows != self._file.rows:
            raise NotPlain(f"BigQuery reads {rows:,} rows where the file has {self._file.rows:,}")
        return spent

    def prepare(self, good: IO[bytes], bad: IO[bytes]) -> Prepared:
        """Read the object line by line; it must be the file that was verified.

        Raises:
            DamagedFile, CloudNotReady, CloudRefused, CloudUnavailable: it is not, or cannot be read.
        """
        stream = self._stream()
        done = prepare(self._service, stream, good, bad)
        if (stream.sha256, done.rows) != (self._file.sha256, self._file.rows):
            raise DamagedFile(
                self._file.uri,
                f"it is not the file that was verified: {done.rows:,} rows, SHA-256 {stream.sha256}, "
                f"where {self._file.rows:,} and {self._file.sha256} were expected",
                "Materialize its gcs/… asset again with force: true.",
            )
        return done

    def load_prepared(self, content: IO[bytes], rows: int, step: str, table: str, fields: Sequence[Field]) -> Spent:
        """Load rows that were prepared.

        Raises:
            JobFailed: BigQuery cannot read them all the same.
            CloudRefused, CloudUnavailable: Google does not take them.
        """
        with self._object(content, f"{table.rpartition('.')[2]}_{step}.csv.gz") as uri:
            loaded, spent = self._load(step, uri, table, fields)
        if loaded != rows:
            raise DamagedFile(uri, f"BigQuery reads {loaded:,} rows where {rows:,} were written", "Run it again.")
        return spent

    def clear(self) -> None:
        """Remove the staging tables that were made; one that cannot be expires by itself."""
        for table in self._made:
            self._tables.drop_staging(table)

    def confirm(self) -> None:
        """That what was loaded is the version that was meant; BigQuery takes the one that is there when it looks.

        Raises:
            CloudNotReady: the object was replaced or removed meanwhile.
        """
        bucket = self._cloud.storage.bucket(self._file.object.bucket)
        with asking(self._file.uri):
            blob = cast("Any", bucket).get_blob(
                self._file.object.name,
                retry=self._patience.retry(self._file.uri, self._log),
                timeout=self._patience.timeouts,
            )
        if blob is None or blob.generation != self._file.object.generation:
            raise CloudNotReady(
                self._file.uri,
                "the object was removed while it was loaded" if blob is None else "another version came meanwhile",
                f"Materialize gcs/{self._service.table} for {self._file.month} again, then this one.",
            )

    def _load(self, step: str, uri: str, table: str, fields: Sequence[Field]) -> tuple[int, Spent]:
        self._made.append(table)
        self._tables.create_staging(table, fields)
        return self._jobs.load(step, uri, table, _configuration(fields))

    @contextmanager
    def _object(self, content: IO[bytes], name: str) -> Generator[str]:
        """An object beside the lake while it is needed; the bucket's lifecycle removes what a kill leaves."""
        name = f"{STAGING}{self._service.name}/{name}"
        uri = uri_of(self._file.object.bucket, name)
        blob: Any = self._cloud.storage.bucket(self._file.object.bucket).blob(name)
        retry, timeouts = self._patience.retry(uri, self._log), self._patience.timeouts
        with asking(uri):
            blob.upload_from_file(content, rewind=True, content_type="application/gzip", retry=retry, timeout=timeouts)
        try:
            yield uri
        finally:
            with asking(uri):
                blob.delete(retry=retry, timeout=timeouts)

    def _stream(self, first: int = 0) -> TripStream:
        chunks = self._reader().chunks(first) if first else self._reader().chunks()
        return TripStream(chunks, self._service, self._file.month, compressed=self._is_compressed())

    def _reader(self) -> LakeReader:
        return LakeReader(self._cloud, self._file, self._log, self._patience)

    def _is_compressed(self) -> bool:
        return self._file.name.endswith(".gz")


@contextmanager
def scratch() -> Generator[tuple[IO[bytes], IO[bytes]]]:
    """Two files that go away by themselves: for good rows, and for bad ones."""
    with tempfile.TemporaryFile() as good, tempfile.TemporaryFile() as bad:
        yield good, bad


def _configuration(fields: Sequence[Field]) -> "LoadJobConfig":
    from google.cloud import bigquery

    return bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.CSV,
        autodetect=False,
        schema=[bigquery.SchemaField.from_api_repr(dict(field.as_api())) for field in fields],
        skip_leading_rows=1,
        max_bad_records=0,
        allow_jagged_rows=False,
        allow_quoted_newlines=True,  # costs nothing where a file is compressed, and so is read by one worker anyway
        ignore_unknown_values=False,
        encoding="UTF-8",
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,  # it would make a table that does not expire
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        labels=LABELS,
    )
