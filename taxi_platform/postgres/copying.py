"""Moving the rows of a stream into a table: fast for regular files, carefully for the others.

Nothing here decides which table, or what becomes of it.
"""

import csv
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taxi_platform.trips.reading import TripStream
from taxi_platform.trips.records import Record, read_records

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

BATCH = 5_000  # records of one careful COPY: small enough to repeat around a row that the server refuses
SHOWN = 10  # rejected records that a message lists


class IrregularFile(Exception):
    """The file needs the careful way; nothing is wrong with it yet."""


class _Abandoned(Exception):
    """Another stream of the same copy failed; its error is the one to report."""


def copy_fast(stream: TripStream, connections: "Sequence[Connection]", statement: str) -> int:
    """Copy a regular stream over all connections at once; each takes the next block when it is ready for one.

    Blocks are inflated by whichever thread comes for the next one, so that memory holds one block a connection, and
    an error anywhere stops all of them.

    Returns:
        The number of rows that the server says it took.

    Raises:
        IrregularFile: the stream turned out not to be regular.
        DamagedFile: as ``TripStream.blocks`` does.
        psycopg.Error: the server refused a row, or went away.
    """
    blocks = _SharedBlocks(stream)
    with ThreadPoolExecutor(len(connections), "copy") as pool:
        copies = [pool.submit(blocks.copy_into, connection, statement) for connection in connections]
        try:
            return sum(_results(copies))
        except BaseException:
            blocks.abandoned = True  # an interrupt of the main thread must not wait for the end of the file
            raise


def _results(copies: "Sequence[Future[int]]") -> list[int]:
    errors = [copy.exception() for copy in copies]
    for error in sorted(filter(None, errors), key=lambda error: isinstance(error, _Abandoned)):
        raise error
    return [copy.result() for copy in copies]


class _SharedBlocks:
    """The blocks of one stream, handed out one by one to several threads."""

    def __init__(self, stream: TripStream) -> None:
        self._stream = stream
        self._blocks = stream.blocks()
        self._turn = threading.Lock()
        self.abandoned = False

    def copy_into(self, connection: "Connection", statement: str) -> int:
        try:
            with connection.cursor() as cursor:
                with cursor.copy(statement.encode()) as copy:
                    for block in iter(self._next, b""):
                        copy.write(block)
                return cursor.rowcount
        except BaseException:
            self.abandoned = True
            raise

    def _next(self) -> bytes:
        with self._turn:
            if self.abandoned:
                raise _Abandoned
            block = next(self._blocks, b"")
            if not self._stream.regular:
                raise IrregularFile
            return block


@dataclass
class Tally:
    """What a careful copy did.

    Attributes:
        loaded: rows that are in the table.
        rejected: records that are not.
        first: the first of the rejected ones, for messages.
    """

    loaded: int = 0
    rejected: int = 0
    first: list[Record] = field(default_factory=list[Record])

    @property
    def rows(self) -> int:
        """All records of the file."""
        return self.loaded + self.rejected


def copy_carefully(
    stream: TripStream, connection: "Connection", statement: str, reject: Callable[[Record, str], None]
) -> Tally:
    """Copy every good record of a stream in one transaction and hand every bad one to ``reject`` with the reason.

    A record is bad when it cannot be what the contract says, or when the server refuses it all the same.

    Raises:
        DamagedFile: as ``TripStream.blocks`` does.
        psycopg.Error: the server went away.
    """
    tally = Tally()

    def bad(record: Record, reason: str) -> None:
        tally.rejected += 1
        if len(tally.first) < SHOWN:
            tally.first.append(Record(record.line, record.text, problem=reason))
        reject(record, reason)

    def good() -> Iterator[Record]:
        for record in read_records(stream):
            if record.problem is None:
                yield record
            else:
                bad(record, record.problem)

    with connection.transaction():
        for batch in _batches(good()):
            tally.loaded += _copy_batch(batch, connection, statement, bad)
    tally.first.sort(key=lambda record: record.line)
    return tally


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _copy_batch(
    batch: Sequence[Record], connection: "Connection", statement: str, bad: Callable[[Record, str], None]
) -> int:
    """Copy a batch. One that the server refuses is halved until the records that it means stand alone.

    The line that its message names is no help: the server counts line ends inside quotes in a way of its own.
    """
    import psycopg

    try:
        with connection.transaction(), connection.cursor() as cursor:
            with cursor.copy(statement.encode()) as copy:
                copy.write(_as_csv(batch))
            return cursor.rowcount
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(batch) == 1:
            bad(batch[0], error.diag.message_primary or str(error))
            return 0
    middle = len(batch) // 2
    return sum(_copy_batch(half, connection, statement, bad) for half in (batch[:middle], batch[middle:]))


def _as_csv(batch: Iterable[Record]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(record.values for record in batch)
    return text.getvalue()
