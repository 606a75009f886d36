"""Slots in a PostgreSQL database: exact across processes and hosts."""

from typing import TYPE_CHECKING

from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.errors import postgres_errors
from taxi_platform.postgres.locking import try_lock

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection


class PostgresClaim:
    """A claim that is a session's advisory lock, which the server frees when the session's process dies.

    Dagster's own concurrency slots are rows instead: after ``kill -9`` they stay taken until a daemon finds out.

    Args:
        url: the database that all who share the slots can reach, by a connection of their own: a pooler that hands
            one session to several clients would free the slot.
        job: what the slots are for.
        slots: how many there are.
    """

    def __init__(self, url: str, job: str, slots: int) -> None:
        self._url = url
        self._names = [f"slot {number} of {job}" for number in range(1, slots + 1)]
        self._connection: Connection | None = None

    def try_take(self) -> bool:
        """Take any slot that is free; the connection stays for the next try.

        Raises:
            DatabaseUnreachable, DatabaseInterrupted: there is no connection, or no longer.
        """
        if self._connection is None:
            self._connection = connect(self._url)
        connection = self._connection
        with postgres_errors(self._names[0]):
            execute(connection, "set idle_session_timeout = 0")
            return any(try_lock(connection, name) for name in self._names)

    def release(self) -> None:
        """End the session, and with it the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
