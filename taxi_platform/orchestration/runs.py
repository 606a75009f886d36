"""Dagster's runs in PostgreSQL, with what its own lack: a change of theirs and an event, both stored or neither.

What the events mean belongs to ``event_log``.
"""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from dagster_postgres import PostgresRunStorage

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine


class _Current(threading.local):
    connection: "Connection | None" = None


class StateRuns(PostgresRunStorage):
    """Runs in PostgreSQL, in the same database as their events.

    Attributes:
        current: the connection of this thread's transaction, while there is one.
    """

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self.current = _Current()

    def connect(self) -> "AbstractContextManager[Connection]":
        """A connection of its own, or within ``transaction`` that one's."""
        return nullcontext(self.current.connection) if self.current.connection else super().connect()

    @contextmanager
    def transaction(self, engine: "Engine") -> Generator[None]:
        """What this thread stores in the block is stored as a whole at its end, or not at all."""
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection, connection.begin():
            self.current.connection = connection
            try:
                yield
            finally:
                self.current.connection = None
