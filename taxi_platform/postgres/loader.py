"""Loading one month: from a verified file into a table of its own, which one short transaction swaps in.

Knows nothing of Dagster; a shell can call it. A reader sees the old month or the new one, and a month that is
interrupted anywhere leaves only its ``_loading`` table, which the next load of the service removes.
"""

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from taxi_platform.errors import BadRows, DamagedFile, DatabaseRefused, SchemaMismatch, disk_errors
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute, postgres_errors
from taxi_platform.postgres.copying import copy_blocks
from taxi_platform.postgres.errors import shortened
from taxi_platform.postgres.locking import lock_month, refuse_older_snapshots, try_lock, unlock, when_readers_allow
from taxi_platform.trips.columns import Column
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.reading import TripStream, is_compressed, read_chunks
from taxi_platform.trips.records import PARSER, Canonical
from taxi_platform.trips.services import SERVICES, Service

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

logger = logging.getLogger(__name__)

OnBadRows = Literal["fail", "quarantine"]
COPY_BYTES = 256 * 1024  # of bad rows that are sent at once


@dataclass(frozen=True)
class Loaded:
    """What is in the table for one month.

    Attributes:
        table: the service's table, with its schema.
        partition: the month's own table, with its schema.
        rows: rows in it.
        rejected: records of the file that are among the rejects instead.
        seconds: how long this took.
        unchanged: whether the month was there already, from the very same file, and nothing was done.
    """

    table: str
    partition: str
    rows: int
    rejected: int
    seconds: float
    unchanged: bool = False


def load_month(
    url: str,
    file: TripFile,
    *,
    on_bad_rows: OnBadRows = "fail",
    force: bool = False,
) -> Loaded:
    """Make the month in the table exactly its file.

    Args:
        url: the database.
        file: the verified file; its bytes are checked again while they are loaded.
        on_bad_rows: whether bad rows fail the month, or are set aside among the service's rejects.
        force: load even when the table holds this very file already.

    Raises:
        BadRows: some rows cannot be stored; the message names their lines.
        DamagedFile: the file is not the one that was verified.
        SchemaMismatch: the header or the table does not match the contract.
        DatabaseUnreachable: there is no connection.
        DatabaseInterrupted: the server went away, or a lock could not be had in time.
        DatabaseRefused: a privilege is missing.
        StorageFull: a disk is full.

    After any error the table is unchanged.
    """
    started = time.monotonic()
    load = _Load(url, file, on_bad_rows)
    with connect(url) as connection, postgres_errors(load.subject):
        prepare(connection, load.service)
        lock_month(connection, load.service, file.month)
        found = None if force else load.already_there(connection)
        tally = found or load.run(connection)
    return Loaded(
        table=tables.table_of(load.service),
        partition=tables.partition_of(load.service, file.month),
        rows=tally.loaded,
        rejected=tally.rejected,
        seconds=time.monotonic() - started,
        unchanged=found is not None,
    )


def rows_in_table(url: str, service: Service) -> int:
    """Return the number of rows of all months that were loaded into a service's table.

    Raises:
        DatabaseUnreachable: there is no connection.
        DatabaseInterrupted: the server went away.
        DatabaseRefused: a privilege is missing.
    """
    with connect(url) as connection, postgres_errors(service.table):
        row = execute(connection, tables.ROWS_IN_TABLE, (tables.table_of(service),)).fetchone()
    return row[0] if row else 0


@dataclass(frozen=True)
class _Tally:
    """How many records of a file are rows of the table, and how many are among the rejects."""

    loaded: int
    rejected: int = 0


class _IrregularFile(Exception):
    """The file must go through the parser; nothing is wrong with it yet."""


class _Load:
    """One file on its way into its table; the caller holds the month's lock."""

    def __init__(self, url: str, file: TripFile, on_bad_rows: OnBadRows) -> None:
        self.service = SERVICES[file.service]
        self.subject = self.service.file_name(file.month)
        self._url = url
        self._file = file
        self._on_bad_rows = on_bad_rows

    def already_there(self, connection: "Connection") -> _Tally | None:
        """Return the record of an earlier load of this very file, if its partition is still untouched."""
        row = execute(
            connection,
            tables.FIND_MONTH,
            (self.subject, self._file.sha256, tables.fingerprint(self.service)),
        ).fetchone()
        if row is None or (row[1] and self._on_bad_rows == "fail"):
            return None
        return _Tally(loaded=row[0], rejected=row[1])

    def run(self, connection: "Connection") -> _Tally:
        """Fill the month's own table and swap it in."""
        try:
            tally = self._fill_fast(connection)
        except _IrregularFile as reason:
            logger.info(f"{self.subject}: reading it line by line ({reason})")
            tally = None
        tally = tally or self._fill_parsed(connection)
        (copied,) = execute(connection, "select clock_timestamp()").fetchall()[0]
        when_readers_allow(lambda: self._swap(connection, tally, copied), self.subject)
        return tally

    def _fill_fast(self, connection: "Connection") -> _Tally:
        """Copy the lines of a regular file as they are."""
        from psycopg import DataError, IntegrityError

        self._create(connection)
        stream = self._open()
        columns = stream.header.columns
        try:
            copied = self._copy(connection, _regular_blocks(stream), columns)
        except (DataError, IntegrityError) as error:
            raise _IrregularFile(shortened(error.diag.message_primary or str(error))) from None
        self._check(stream, stream.rows)
        if copied != stream.rows:
            raise _IrregularFile(f"{stream.rows:,} lines became {copied:,} rows")
        return _Tally(loaded=copied)

    def _fill_parsed(self, connection: "Connection") -> _Tally:
        """Copy what the parser makes of the file, and its bad rows into the table of rejects."""
        self._create(connection)
        stream = self._open()
        with disk_errors(self._file.path), tempfile.TemporaryFile(dir=self._file.path.parent) as bad:
            canonical = Canonical(stream, self.service, bad)
            copied = self._copy(connection, canonical.blocks(), self.service.columns)
            self._check(stream, canonical.rows + canonical.rejected)
            if copied != canonical.rows:
                raise DatabaseRefused(
                    self.subject, f"PostgreSQL made {copied:,} rows of {canonical.rows:,}", "The table is as it was."
                )
            if canonical.rejected and (self._on_bad_rows == "fail" or not canonical.rows):
                raise _bad_rows(self.subject, canonical)
            bad.seek(0)
            copy_blocks(iter(lambda: bad.read(COPY_BYTES), b""), [connection], tables.COPY_REJECTED)
        return _Tally(loaded=canonical.rows, rejected=canonical.rejected)

    def _copy(self, connection: "Connection", blocks: Iterable[bytes], columns: Sequence[Column]) -> int:
        statement = tables.copy_into_loading(self.service, self._file.month, columns)
        with connect(self._url) as second:
            return copy_blocks(blocks, [connection, second], statement)

    def _create(self, connection: "Connection") -> None:
        execute(connection, f"drop table if exists {tables.loading_of(self.service, self._file.month)}")
        execute(connection, tables.create_loading(self.service, self._file.month))
        execute(connection, tables.create_rejected(self.service, self._file.month))

    def _open(self) -> TripStream:
        path = self._file.path
        try:
            return TripStream(
                read_chunks(path),
                self.service,
                self._file.month,
                compressed=is_compressed(path),
                is_regular=self._file.verified.regular,
            )
        except FileNotFoundError:
            raise DamagedFile(str(path), "the file is gone", "Materialize its raw asset again.") from None

    def _check(self, stream: TripStream, rows: int) -> None:
        """Raise unless the bytes that were read are those that were verified."""
        if stream.sha256 != self._file.sha256 or rows != self._file.rows:
            raise DamagedFile(
                str(self._file.path),
                f"it is not the file that was verified: {rows:,} rows, SHA-256 {stream.sha256}, "
                f"where {self._file.rows:,} and {self._file.sha256} were expected",
                "Something changed it on disk; materialize its raw asset again with force: true.",
            )

    def _swap(self, connection: "Connection", tally: _Tally, copied: datetime) -> None:
        """Exchange the month's table, its rejects and its record, all in one transaction."""
        service, month, file = self.service, self._file.month, self._file
        partition = tables.partition_of(service, month)
        replaces = execute(connection, "select to_regclass(%s) is not null", (partition,)).fetchone() == (True,)
        if replaces:
            refuse_older_snapshots(connection, partition, copied)
        with connection.transaction():
            execute(connection, tables.SHORT_LOCK_TIMEOUT)
            if replaces:
                for statement in tables.detach_and_drop(service, month):
                    execute(connection, statement)
            for statement in tables.attach(service, month):
                execute(connection, statement)
            execute(connection, tables.replace_rejects(service), (self.subject,))
            execute(
                connection,
                tables.RECORD_MONTH,
                {
                    "filename": self.subject,
                    "table_name": tables.table_of(service),
                    "partition_name": partition,
                    "source": file.source,
                    "sha256": file.sha256,
                    "file_bytes": file.bytes,
                    "csv_bytes": file.csv_bytes,
                    "rows_in_file": tally.loaded + tally.rejected,
                    "rows_loaded": tally.loaded,
                    "rows_rejected": tally.rejected,
                    "contract": tables.fingerprint(service),
                    "parser": PARSER,
                },
            )


def _regular_blocks(stream: TripStream) -> Iterator[bytes]:
    for block in stream.blocks():
        if not stream.regular:
            raise _IrregularFile("some lines are not plain CSV as the TLC writes it")
        yield block


def _bad_rows(subject: str, canonical: Canonical) -> BadRows:
    total = canonical.rows + canonical.rejected
    lines = "".join(f"\n  line {record.line}: {record.problem}: {record.text}" for record in canonical.first_rejected)
    others = canonical.rejected - len(canonical.first_rejected)
    more = f"\n  … and {others:,} more" if others else ""
    advice = "or set TAXI_ON_BAD_ROWS=quarantine to load the good rows and keep the bad ones aside."
    return BadRows(
        subject,
        f"{canonical.rejected:,} of {total:,} rows cannot be stored:{lines}{more}\nThe table is as it was",
        f"Correct the file, {advice}" if canonical.rows else "Not one row is good: this is not a file of trips.",
    )


def prepare(connection: "Connection", service: Service) -> None:
    """Create the service's tables if they are missing, renew their comments, and drop what killed loads left.

    Raises:
        SchemaMismatch: a table of that name exists that was not made here.
    """
    if not (_is_ours(connection, service) and _has_companions(connection, service)):
        _create(connection, service)
    elif _comments(connection, service) != tables.column_comments(service):
        for statement in tables.comments(service):
            execute(connection, statement)
    _drop_leftovers(connection, service)


def _is_ours(connection: "Connection", service: Service) -> bool:
    """Return whether the table exists; one that is not as the contract wants it is refused."""
    table = tables.table_of(service)
    row = execute(connection, "select relkind from pg_class where oid = to_regclass(%s)", (table,)).fetchone()
    if row is None:
        return False
    found = dict(execute(connection, tables.COLUMN_TYPES, (table,)).fetchall())
    expected = tables.column_types(service)
    if row[0] != "p" or found != expected:
        differing = sorted(set(found.items()) ^ set(expected.items()))
        what = f"its columns differ: {differing}" if row[0] == "p" else "it is not partitioned by file"
        raise SchemaMismatch(
            f"table {table}",
            f"it exists and was not made by this platform ({what})",
            f"Rename it (alter table {table} rename to {service.table}_old) or use another database.",
        )
    return True


def _has_companions(connection: "Connection", service: Service) -> bool:
    """Return whether the tables of files and rejects exist, which somebody may have dropped, with today's columns."""
    return execute(connection, tables.COMPANIONS_EXIST, (tables.rejects_of(service),)).fetchone() == (True,)


def _create(connection: "Connection", service: Service) -> None:
    """Create the tables, one process at a time: ``if not exists`` alone fails when two come at once."""
    with connection.transaction():
        execute(connection, "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (tables.FILES,))
        execute(connection, tables.create_files())
        execute(connection, tables.ADD_PARSER)
        if not _is_ours(connection, service):
            for statement in tables.create_table(service, connection.info.server_version):
                execute(connection, statement)
        for statement in tables.create_rejects(service):
            execute(connection, statement)


def _comments(connection: "Connection", service: Service) -> dict[str, str]:
    return dict(execute(connection, tables.COLUMN_COMMENTS, (tables.table_of(service),)).fetchall())


def _drop_leftovers(connection: "Connection", service: Service) -> None:
    """Drop the loading tables of months that nobody is loading: their lock is free because their process is gone.

    A leftover that somebody is reading, such as pg_dump, is left for the next load.
    """
    from psycopg.errors import LockNotAvailable

    leftovers = execute(connection, tables.LOADING_TABLES, (f"^{service.table}_\\d{{4}}_\\d{{2}}_loading$",)).fetchall()
    for (name,) in leftovers:
        partition = tables.qualified(name.removesuffix("_loading"))
        if try_lock(connection, partition):
            try:
                with connection.transaction():
                    execute(connection, tables.SHORT_LOCK_TIMEOUT)
                    execute(connection, f"drop table if exists {tables.qualified(name)}")
            except LockNotAvailable:
                logger.info(f"{name}: left by a load that broke off, and being read; the next load will drop it")
            finally:
                unlock(connection, partition)
