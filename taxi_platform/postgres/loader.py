"""Loading one month: from a verified file into a table of its own, which one short transaction swaps in.

Knows nothing of Dagster; a shell can call it. A reader sees the old month or the new one, and a month that is
interrupted anywhere leaves only its ``_loading`` table, which the next load of the service removes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from taxi_platform.errors import BadRows, DamagedFile
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute, in_our_words
from taxi_platform.postgres.copying import IrregularFile, Tally, copy_carefully, copy_fast
from taxi_platform.postgres.locking import lock_month, refuse_older_snapshots, with_patience
from taxi_platform.postgres.preparing import prepare
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.reading import TripStream, is_compressed, read_chunks
from taxi_platform.trips.records import Record
from taxi_platform.trips.services import SERVICES, Service

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

Log = Callable[[str], None]
OnBadRows = Literal["fail", "quarantine"]


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
    log: Log,
    *,
    on_bad_rows: OnBadRows = "fail",
    force: bool = False,
) -> Loaded:
    """Make the month in the table exactly its file.

    Args:
        url: the database.
        file: the verified file; its bytes are checked again while they are loaded.
        log: where progress is told.
        on_bad_rows: whether bad rows fail the month, or are set aside among the service's rejects.
        force: load even when the table holds this very file already.

    Raises:
        BadRows: records that cannot be stored, with their lines; the table is as it was.
        DamagedFile: the file is not the one that was verified, or broken; the table is as it was.
        SchemaMismatch: header or table do not keep the contract.
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused, StorageFull: as they say; the table is as it was.
    """
    started = time.monotonic()
    load = _Load(url, file, log, on_bad_rows)
    with connect(url) as connection, in_our_words(load.subject):
        prepare(connection, load.service)
        lock_month(connection, load.service, file.month, log)
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
    """The rows of all months that were loaded into a service's table.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    with connect(url) as connection, in_our_words(service.table):
        row = execute(connection, tables.ROWS_IN_TABLE, (tables.table_of(service),)).fetchone()
    return row[0] if row else 0


class _Load:
    """One file on its way into its table; the caller holds the month's lock."""

    def __init__(self, url: str, file: TripFile, log: Log, on_bad_rows: OnBadRows) -> None:
        self.service = SERVICES[file.service]
        self.subject = self.service.file_name(file.month)
        self._url = url
        self._file = file
        self._log = log
        self._on_bad_rows = on_bad_rows

    def already_there(self, connection: "Connection") -> Tally | None:
        """What an earlier load of this very file left, if it is still in the table untouched."""
        row = execute(
            connection,
            tables.FIND_MONTH,
            (self.subject, self._file.sha256, tables.fingerprint(self.service)),
        ).fetchone()
        if row is None or (row[1] and self._on_bad_rows == "fail"):
            return None
        return Tally(loaded=row[0], rejected=row[1])

    def run(self, connection: "Connection") -> Tally:
        """Fill the month's own table and swap it in."""
        try:
            tally = self._fill_fast(connection)
        except IrregularFile as reason:
            self._log(f"{self.subject}: reading it line by line ({reason})")
            tally = self._fill_carefully(connection)
        (copied,) = execute(connection, "select clock_timestamp()").fetchall()[0]
        with_patience(lambda: self._swap(connection, tally, copied), self.subject, self._log)
        return tally

    def _fill_fast(self, connection: "Connection") -> Tally:
        from psycopg import DataError, IntegrityError

        self._create(connection)
        stream = self._open(sees_blank_lines=False)
        statement = tables.copy_into_loading(self.service, self._file.month, stream.header.columns)
        with connect(self._url) as second:
            try:
                copied = copy_fast(stream, [connection, second], statement)
            except (DataError, IntegrityError) as error:
                raise IrregularFile(error.diag.message_primary or str(error)) from None
        self._check(stream, stream.rows)
        if copied != stream.rows:
            raise IrregularFile(f"{stream.rows:,} lines became {copied:,} rows")
        return Tally(loaded=copied)

    def _fill_carefully(self, connection: "Connection") -> Tally:
        self._create(connection)
        stream = self._open(sees_blank_lines=True)
        statement = tables.copy_into_loading(self.service, self._file.month, stream.header.columns)
        with (
            connect(self._url) as second,
            connection.cursor() as cursor,
            cursor.copy("copy rejected from stdin") as rejects,
        ):

            def reject(record: Record, reason: str) -> None:
                rejects.write_row((self.subject, record.line, record.text, reason))

            tally = copy_carefully(stream, second, statement, reject)
        self._check(stream, tally.rows)
        if tally.rejected and self._on_bad_rows == "fail":
            raise _bad_rows(self.subject, tally)
        return tally

    def _create(self, connection: "Connection") -> None:
        execute(connection, f"drop table if exists {tables.loading_of(self.service, self._file.month)}")
        execute(connection, tables.create_loading(self.service, self._file.month))
        execute(connection, tables.create_rejected(self.service))

    def _open(self, *, sees_blank_lines: bool) -> TripStream:
        path = self._file.path
        try:
            return TripStream(
                read_chunks(path),
                self.service,
                self._file.month,
                compressed=is_compressed(path),
                sees_blank_lines=sees_blank_lines,
            )
        except FileNotFoundError:
            raise DamagedFile(str(path), "the file is gone", "Materialize its raw asset again.") from None

    def _check(self, stream: TripStream, rows: int) -> None:
        """What was read must be what was verified."""
        if stream.sha256 != self._file.sha256 or rows != self._file.rows:
            raise DamagedFile(
                str(self._file.path),
                f"it is not the file that was verified: {rows:,} rows, SHA-256 {stream.sha256}, "
                f"where {self._file.rows:,} and {self._file.sha256} were expected",
                "Something changed it on disk; materialize its raw asset again with force: true.",
            )

    def _swap(self, connection: "Connection", tally: Tally, copied: datetime) -> None:
        """Exchange the month's table, its rejects and its record, all in one transaction."""
        service, month, file = self.service, self._file.month, self._file
        partition = tables.partition_of(service, month)
        replaces = execute(connection, "select to_regclass(%s) is not null", (partition,)).fetchone() == (True,)
        if replaces:
            refuse_older_snapshots(connection, partition, copied)
        with connection.transaction():
            execute(connection, tables.SWAP_LOCK_TIMEOUT)
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
                    "rows_in_file": tally.rows,
                    "rows_loaded": tally.loaded,
                    "rows_rejected": tally.rejected,
                    "contract": tables.fingerprint(service),
                },
            )


def _bad_rows(subject: str, tally: Tally) -> BadRows:
    lines = "".join(f"\n  line {record.line}: {record.problem}: {record.text[:200]}" for record in tally.first)
    more = f"\n  … and {tally.rejected - len(tally.first):,} more" if tally.rejected > len(tally.first) else ""
    return BadRows(
        subject,
        f"{tally.rejected:,} of {tally.rows:,} rows cannot be stored:{lines}{more}\nThe table is as it was",
        "Correct the file, or set TAXI_ON_BAD_ROWS=quarantine to load the good rows and keep the bad ones aside.",
    )
