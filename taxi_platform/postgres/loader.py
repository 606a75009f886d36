"""Loading one month: from a verified file into its own table, which one short transaction swaps in.

Knows nothing of Dagster; a shell can call it. A reader sees the old month or the new one, and a load that is
interrupted anywhere leaves only its ``_loading`` table, which the next load of the service removes.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taxi_platform.errors import DatabaseInterrupted, DatabaseRefused, FileChanged, disk_errors, shortened
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, connect, execute, exists, postgres_errors
from taxi_platform.postgres.locking import lock_month, refuse_older_snapshots, when_readers_allow
from taxi_platform.postgres.preparing import add_columns, months_changed_by_hand, prepare
from taxi_platform.trips.columns import Column
from taxi_platform.trips.files import TripFile, edition_of
from taxi_platform.trips.headers import Header, has_waiting_columns
from taxi_platform.trips.reading import Stream, TripStream, open_trips
from taxi_platform.trips.records import PARSER, Canonical, NeedsParser
from taxi_platform.trips.services import SERVICES, Service

logger = logging.getLogger(__name__)

Encode = Callable[[Iterator[Any]], Iterator[bytes]]
_Counts = tuple[int, int]  # records of the file that are rows of the table, and those that are rejects
COPY_BYTES = 256 * 1024  # of bad rows that are sent at once


@dataclass(frozen=True)
class Loaded:
    """What is in the table for one month.

    Attributes:
        table, partition: the service's table and the month's own, with their schema.
        rejected: records of the file that are among the rejects instead.
        unchanged: whether the month was there already, from the very same file, and nothing was done.
    """

    table: str
    partition: str
    rows: int
    rejected: int
    seconds: float
    unchanged: bool = False


def load_month(url: str, file: TripFile, *, max_bad_rows: float = 0.0, force: bool = False) -> Loaded:
    """Make the month in the table exactly its file.

    The bytes of the verified file are checked again while they are loaded. After any error the table is unchanged.

    Bad rows are set aside among the service's rejects, up to the share ``max_bad_rows`` of all rows and never all of
    them. ``force`` loads even when the table holds this very file already.

    Raises:
        BadRows: more rows cannot be stored; the message names their lines.
        FileChanged: the file is not the one that was verified.
        SchemaMismatch: the header or the table does not match the contract.
    """
    started = time.monotonic()
    load = _Load(url, file, max_bad_rows)
    with connect(url) as connection, postgres_errors(load.subject):
        prepare(connection, load.service)
        lock_month(connection, load.service, file.month)
        present = None if force else load.already_loaded(connection)
        rows, rejected = present or load.run(connection)
    return Loaded(
        table=tables.table_of(load.service),
        partition=tables.partition_of(load.service, file.month),
        rows=rows,
        rejected=rejected,
        seconds=time.monotonic() - started,
        unchanged=present is not None,
    )


def rows_in_table(url: str, service: Service) -> int:
    """Return the number of rows of all months that were loaded into a service's table."""
    with connect(url) as connection, postgres_errors(service.table):
        query = f"select coalesce(sum(rows_loaded), 0)::bigint from {tables.FILES} where table_name = %s"
        return execute(connection, query, (tables.table_of(service),)).fetchall()[0][0]


class _Load:
    """One file on its way into its table; the caller holds the month's lock."""

    def __init__(self, url: str, file: TripFile, max_bad_rows: float) -> None:
        self.service = SERVICES[file.service]
        self.subject = self.service.file_name(file.month)
        self._url, self._file, self._max_bad_rows = url, file, max_bad_rows
        self._loading = tables.loading_of(self.service, file.month)
        self._rejects = tables.rejects_of(self.service)
        self._table: int | None = None  # its oid, once it is created
        self._ignored: str | None = None

    def already_loaded(self, connection: Connection) -> _Counts | None:
        """Return the counts of an earlier load of this very file, if its partition and its rejects are still there."""
        query = f"""
            select f.rows_loaded, f.rows_rejected, f.ignored from {tables.FILES} as f
            where f.filename = %s and f.sha256 = %s and f.contract = %s and f.refused is null and {tables.UNTOUCHED}
            and f.rows_rejected = (select count(*) from {self._rejects} as r where r.filename = f.filename)"""
        values = (self.subject, self._file.sha256, tables.fingerprint(self.service))
        row = execute(connection, query, values).fetchone()
        if row is None or (row[1] and not self._max_bad_rows) or has_waiting_columns(self.service, row[2]):
            return None
        if months_changed_by_hand(connection, [self.subject]):
            logger.info(f"{self.subject}: its rows were changed since it was loaded; loading it again")
            return None
        return row[0], row[1]

    def run(self, connection: Connection) -> _Counts:
        """Fill the month's own table and swap it in."""
        query = f"select source from {tables.FILES} where filename = %s"
        before = execute(connection, query, (self.subject,)).fetchone()
        if before and edition_of(before[0]) != self._file.edition:
            logger.warning(
                f"{self.subject}: the month was loaded from {before[0]}; {self._file.source} is another edition of it, "
                "whose rows differ, and replaces all of it"
            )
        try:
            counts = self._fill_fast(connection)
        except NeedsParser as reason:
            logger.info(f"{self.subject}: reading it line by line ({reason})")
            counts = self._fill_parsed(connection)
        (copied,) = execute(connection, "select clock_timestamp()").fetchall()[0]
        for (statement,) in execute(connection, tables.indexes_of(self.service, self._file.month)).fetchall():
            execute(connection, statement)
        when_readers_allow(lambda: self._swap(connection, counts, copied), self.subject)
        return counts

    def _fill_fast(self, connection: Connection) -> _Counts:
        """Copy the lines of a regular file as they are, or the values of a Parquet file in PostgreSQL's binary form."""
        from psycopg import DataError, IntegrityError

        stream = self._open()
        if isinstance(stream, TripStream) and stream.header.ignored:
            raise NeedsParser("a database cannot skip fields")
        self._create(connection, stream.header)
        try:
            columns = stream.header.columns
            if isinstance(stream, TripStream):
                copied = self._copy(connection, _regular_blocks(stream), columns)
            else:
                copied = self._copy(connection, stream.blocks(), columns, "binary", lambda rows: _binary(rows, columns))
        except (DataError, IntegrityError) as error:
            raise NeedsParser(shortened(error.diag.message_primary or str(error))) from None
        self._check(stream, stream.rows)
        if copied != stream.rows:
            raise NeedsParser(f"{stream.rows:,} {stream.unit}s became {copied:,} rows")
        return copied, 0

    def _fill_parsed(self, connection: Connection) -> _Counts:
        """Copy what the parser makes of the file, and its bad rows into the table of rejects."""
        stream = self._open()
        self._create(connection, stream.header)
        with disk_errors(self._file.path), tempfile.TemporaryFile(dir=self._file.path.parent) as bad:
            canonical = Canonical(stream, self.service, bad)
            copied = self._copy(connection, canonical.blocks(), canonical.columns)
            self._check(stream, canonical.rows + canonical.rejected)
            if copied != canonical.rows:
                what = f"PostgreSQL made {copied:,} rows of {canonical.rows:,}"
                raise DatabaseRefused(self.subject, what, "The table is as it was.")
            canonical.check_bad_rows(self._max_bad_rows)
            bad.seek(0)
            statement = "copy pg_temp.rejected (line, text, reason) from stdin (format csv)"
            copy_blocks(iter(lambda: bad.read(COPY_BYTES), b""), [connection], statement)
        return canonical.rows, canonical.rejected

    def _copy(
        self,
        connection: Connection,
        blocks: Iterable[Any],
        columns: Sequence[Column],
        form: str = "csv",
        encode: Encode = iter,
    ) -> int:
        names = ", ".join(f'"{column.name}"' for column in columns)
        statement = f"copy {self._loading} ({names}) from stdin (format {form})"
        with connect(self._url) as second:
            return copy_blocks(blocks, [connection, second], statement, encode)

    def _create(self, connection: Connection, header: Header) -> None:
        self._ignored = ", ".join(column.name for column in header.ignored) or None
        name = tables.literal(self.subject)
        add_columns(connection, self.service, header.added)
        execute(connection, f"drop table if exists {self._loading}")
        execute(connection, tables.create_loading(self.service, self._file.month))
        execute(connection, f"create temporary table if not exists pg_temp.rejected (like {self._rejects})")
        execute(connection, f"alter table pg_temp.rejected alter column filename set default {name}")
        execute(connection, "truncate pg_temp.rejected")
        self._table = self._oid(connection, self._loading)

    def _oid(self, connection: Connection, name: str) -> int | None:
        return execute(connection, "select to_regclass(%s)::oid", (name,)).fetchall()[0][0]

    def _open(self) -> Stream:
        path, regular = self._file.path, self._file.facts.regular
        try:
            return open_trips(path, self.service, self._file.month, is_regular=regular)
        except FileNotFoundError:
            raise FileChanged(str(path), "the file is gone", "Materialize its raw asset again.") from None

    def _check(self, stream: Stream, rows: int) -> None:
        """Raise unless the bytes that were read are those that were verified."""
        if stream.sha256 != self._file.sha256 or rows != self._file.rows:
            raise FileChanged(
                str(self._file.path),
                f"it is not the file that was verified: {rows:,} rows, SHA-256 {stream.sha256}, "
                f"where {self._file.rows:,} and {self._file.sha256} were expected",
                "It was fetched again or edited meanwhile; materialize its raw asset again with force: true.",
            )

    def _swap(self, connection: Connection, counts: _Counts, copied: datetime) -> None:
        """Replace the month's table, its rejects and its record in one transaction."""
        file, name = self._file, tables.literal(self.subject)
        table, partition = tables.table_of(self.service), tables.partition_of(self.service, file.month)
        replaces = exists(connection, partition)
        if replaces:
            refuse_older_snapshots(connection, partition, copied)
        with connection.transaction():
            execute(connection, tables.SHORT_LOCK_TIMEOUT)
            if replaces:
                execute(connection, f"alter table {table} detach partition {partition}")
                execute(connection, f"drop table {partition}")
            execute(connection, f"alter table {self._loading} rename to {partition.rpartition('.')[2]}")
            execute(connection, f"alter table {table} attach partition {partition} for values in ({name})")
            if self._oid(connection, partition) != self._table:
                raise DatabaseInterrupted(
                    self.subject,
                    "another process has replaced the table that this load has filled",
                    "The month's lock did not hold: something between here and PostgreSQL shares its sessions.",
                )
            execute(connection, f"delete from {self._rejects} where filename = {name}")
            execute(connection, f"insert into {self._rejects} select * from pg_temp.rejected")
            record = {
                "filename": self.subject,
                "table_name": table,
                "partition_name": partition,
                "source": file.source,
                "sha256": file.sha256,
                "file_bytes": file.bytes,
                "csv_bytes": file.csv_bytes,
                "rows_in_file": sum(counts),
                "rows_loaded": counts[0],
                "rows_rejected": counts[1],
                "contract": tables.fingerprint(self.service),
                "parser": PARSER,
                "ignored": self._ignored,
            }
            execute(connection, _record_month(record), record)


def _record_month(columns: Iterable[str]) -> str:
    """Return the statement that writes a month's load record; its parameters have the names of the columns."""
    return f"""
insert into {tables.FILES} ({", ".join(columns)}, filenode)
values ({", ".join(f"%({name})s" for name in columns)}, pg_relation_filenode(%(partition_name)s::text::regclass))
on conflict (filename) do update set
    {", ".join(f"{name} = excluded.{name}" for name in (*columns, "filenode"))},
    loaded_at = now(), counted_at = null, refused = null"""


def _regular_blocks(stream: TripStream) -> Iterator[bytes]:
    for block in stream.blocks():
        if not stream.regular:
            raise NeedsParser("some lines are not plain CSV as the TLC writes it")
        yield block


def _binary(batches: Iterable[Any], columns: Sequence[Column]) -> Iterator[bytes]:
    """Yield what one COPY of Arrow batches sends; raise ``NeedsParser`` if a value cannot be taken unchanged."""
    import pyarrow as pa
    from pgpq import ArrowToPostgresBinaryEncoder

    from taxi_platform.trips.exact import ARROW_TYPES, exact

    schema = pa.schema([(column.name, ARROW_TYPES[column.postgres]) for column in columns])
    encoder = ArrowToPostgresBinaryEncoder(schema)
    yield encoder.write_header()
    for batch in batches:
        arrays: list[Any] = [exact(batch.column(index), column) for index, column in enumerate(columns)]
        yield encoder.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    yield encoder.finish()


class _Abandoned(Exception):
    """Another thread of the same copy failed; its error is the one to report."""


def copy_blocks(blocks: Iterable[Any], connections: Sequence[Connection], statement: str, encode: Encode = iter) -> int:
    """Copy blocks of whole rows over all connections at once, and return the number of rows that the server reports.

    Each connection has a thread, which makes the next block when the connection is ready for it, so that memory holds
    one block per connection; ``encode`` turns the blocks of one connection into the bytes that are sent. An error in
    any thread, also in ``blocks`` and ``encode``, stops all of them and is raised.
    """
    remaining, turn, abandoned = iter(blocks), threading.Lock(), threading.Event()

    def taken() -> Iterator[Any]:
        while True:
            with turn:
                if abandoned.is_set():
                    raise _Abandoned
                block = next(remaining, None)
            if block is None:
                return
            yield block

    def copy_into(connection: Connection) -> int:
        try:
            with connection.cursor() as cursor:
                with cursor.copy(statement.encode()) as copy:
                    for data in encode(taken()):
                        copy.write(data)
                return cursor.rowcount
        except BaseException:
            abandoned.set()
            raise

    with ThreadPoolExecutor(len(connections), "copy") as pool:
        copies = [pool.submit(copy_into, connection) for connection in connections]
        try:
            errors = [copy.exception() for copy in copies]
        except BaseException:
            abandoned.set()  # an interrupt of the main thread must not wait for the end of the file
            raise
    for error in sorted(filter(None, errors), key=lambda error: isinstance(error, _Abandoned)):
        raise error
    return sum(copy.result() for copy in copies)
