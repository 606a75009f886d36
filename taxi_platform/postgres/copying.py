"""COPY of blocks of lines over several connections at once. Which table they go to is decided by the loader."""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection


def copy_blocks(blocks: Iterable[bytes], connections: "Sequence[Connection]", statement: str) -> int:
    """Copy blocks of whole lines over all connections at once; each takes the next block when it is ready for one.

    A block is made by whichever thread comes for it, so that memory holds one block per connection. An error in any
    thread stops all of them.

    Returns:
        The number of rows that the server reports.

    Raises:
        psycopg.Error: the server refused a row, or the connection broke.
        BaseException: whatever ``blocks`` raises.
    """
    shared = _SharedBlocks(blocks)
    with ThreadPoolExecutor(len(connections), "copy") as pool:
        copies = [pool.submit(shared.copy_into, connection, statement) for connection in connections]
        try:
            return sum(_results(copies))
        except BaseException:
            shared.abandoned = True  # an interrupt of the main thread must not wait for the end of the file
            raise


class _Abandoned(Exception):
    """Another thread of the same copy failed; its error is the one to report."""


def _results(copies: "Sequence[Future[int]]") -> list[int]:
    errors = [copy.exception() for copy in copies]
    for error in sorted(filter(None, errors), key=lambda error: isinstance(error, _Abandoned)):
        raise error
    return [copy.result() for copy in copies]


class _SharedBlocks:
    """Blocks that are handed out one by one to several threads."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
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
            return next(self._blocks, b"")
