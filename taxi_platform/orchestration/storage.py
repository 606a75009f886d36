"""The storage that ``dagster.yaml`` names: Dagster's own on PostgreSQL, with kept connections and heartbeats.

Every process with an instance imports it. Dagster's storages decide what events mean and how they are stored; only the
status of a failed run and the decision about its retry are stored in one transaction instead of two.
"""

import logging
import threading
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

import dagster as dg
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import NullPool

from taxi_platform.dagster_private import add_web_middleware, announce_retry, forget_cursor_value
from taxi_platform.ledger.heartbeats import RUN_ENDS, Heartbeat, key_of
from taxi_platform.orchestration.database import state_url
from taxi_platform.settings import environment, settings

_VALIDATES = "DAGSTER_IS_DEFS_VALIDATION_CLI"  # set by ``dg check defs`` and ``dagster definitions validate``
_NOWHERE = "postgresql+psycopg2://nowhere.invalid/dagster"
_AT_ONCE = 8  # queries of ``ledger.reading``


def _raise_if_broken(connection: Any, record: object, proxy: object) -> None:
    """Make the pool replace a kept connection that is broken, e.g. because PostgreSQL was restarted."""
    from psycopg2 import Error

    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except Error as error:
        raise DisconnectionError(str(error)) from error


class _KeepsConnections:
    """Opens a connection for every query, as Dagster does, except in processes that are known to run many queries.

    These are the daemon, a process that makes or executes runs, and commands that only read. Opening a connection takes
    longer than storing an event: keeping them halves the time of a backfill of small months.
    """

    postgres_url: str
    _engine: Engine
    _opening_each_time: Engine | None = None  # Dagster's engine, while connections are kept

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Keep a connection, as Dagster does for its web server, and check it before every use."""
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)  # pyright: ignore
        event.listen(self._engine, "checkout", _raise_if_broken)

    def keep_connections(self, most: int = 2) -> None:
        """Keep connections from now on: two, because some events are stored over one while another one is open."""
        if isinstance(self._engine.pool, NullPool):
            self._opening_each_time = self._engine
            options = {"isolation_level": "AUTOCOMMIT", "pool_size": most, "max_overflow": -1}
            self._engine = create_engine(self.postgres_url, **options)
            event.listen(self._engine, "checkout", _raise_if_broken)

    def close_connections(self) -> None:
        """Open a connection for every query again."""
        if self._opening_each_time is not None:
            self._engine.dispose()
            self._engine, self._opening_each_time = self._opening_each_time, None

    def dispose(self) -> None:
        """Close what is kept, at the end of the instance."""
        self.close_connections()
        super().dispose()  # pyright: ignore


class _Schedules(_KeepsConnections, PostgresScheduleStorage):
    """Schedules, sensors and their ticks."""


class _Events(_KeepsConnections, PostgresEventLogStorage):
    """The events of runs."""


class _Runs(_KeepsConnections, PostgresRunStorage):
    """Runs. The process that stores the start of a run executes it, and writes its heartbeat from then on."""

    def __init__(self, postgres_url: str, *others: _KeepsConnections) -> None:
        self._transaction = threading.local()
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._storages = (self, *others)
        self._heartbeats: dict[str, Heartbeat] = {}

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Guard the web server, whose process calls this once before it serves the UI, however it was started."""
        from taxi_platform.orchestration.web_guard import WebGuard, allowed_names

        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)
        add_web_middleware(WebGuard, names=allowed_names(settings()))

    def add_daemon_heartbeat(self, daemon_heartbeat: Any) -> None:
        """Keep connections in the daemon, which asks every storage several times a second."""
        self._keep_all()
        super().add_daemon_heartbeat(daemon_heartbeat)

    def add_run(self, dagster_run: dg.DagsterRun) -> dg.DagsterRun:
        """Keep connections for the run's planned events, each of which opens three, and for its execution."""
        self._keep_all()
        return super().add_run(dagster_run)

    def handle_run_event(self, run_id: str, event: dg.DagsterEvent, update_timestamp: datetime | None = None) -> None:
        """Update the run as Dagster does, and begin or end its heartbeat."""
        heartbeat = self._heartbeats.pop(run_id, None) if event.event_type in RUN_ENDS else None
        if heartbeat:
            heartbeat.end()  # first, because it stops a process whose run is over
        if event.event_type == dg.DagsterEventType.RUN_FAILURE:
            with self._one_transaction():  # so that no backfill is evaluated in between
                announce_retry(self._instance, run_id, event)
                super().handle_run_event(run_id, event, update_timestamp)
        else:
            super().handle_run_event(run_id, event, update_timestamp)
        if event.event_type == dg.DagsterEventType.RUN_START:
            self._begin_heartbeat(run_id)
        elif event.event_type in RUN_ENDS:
            forget_cursor_value(self, key_of(run_id))
            if heartbeat and not self._heartbeats:
                for storage in self._storages:
                    storage.close_connections()

    def connect(self) -> AbstractContextManager[Connection]:
        """Connect to the database, or use the connection of this thread's transaction."""
        shared = getattr(self._transaction, "connection", None)
        return nullcontext(shared) if shared else super().connect()

    @contextmanager
    def _one_transaction(self) -> Generator[None]:
        with super().connect() as connection:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                self._transaction.connection = connection
                try:
                    yield
                finally:
                    del self._transaction.connection

    def _keep_all(self) -> None:
        for storage in self._storages:
            storage.keep_connections()

    def _begin_heartbeat(self, run_id: str) -> None:
        self._keep_all()
        self._heartbeats[run_id] = Heartbeat(self, run_id)
        self._heartbeats[run_id].begin()


class _NoRuns(_Runs):
    """The runs for a command that only validates definitions: it reads one value, which a new state does not have."""

    def get_cursor_values(self, keys: set[str]) -> Mapping[str, str]:
        """Return no values."""
        return {}


class StateStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the database of ``TAXI_DAGSTER_POSTGRES_URL``, else in the embedded server."""

    def __init__(self, postgres_url: str, inst_data: Any = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False, inst_data=inst_data)
        self._event_log_storage = _Events(postgres_url, should_autocreate_tables=False)
        self._schedule_storage = _Schedules(postgres_url, should_autocreate_tables=False)
        self._run_storage = _Runs(postgres_url, self._event_log_storage, self._schedule_storage)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Return an empty configuration: the settings name the database."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "StateStorage":
        """Open the storage of this process's settings.

        Nothing is started for a command that only validates definitions.

        Raises:
            StateUnavailable: the database cannot be reached or made.
        """
        if environment().get(_VALIDATES):
            storage = cls(_NOWHERE, inst_data)
            storage._run_storage = _NoRuns(_NOWHERE)
            return storage
        with _logs_on_stderr():
            return cls(state_url(settings()), inst_data)


@contextmanager
def open_instance() -> Generator[dg.DagsterInstance]:
    """Open the instance for a command that reads all months, whose eighty queries share a few connections."""
    with dg.DagsterInstance.get() as instance:
        for storage in (instance.event_log_storage, instance.run_storage):
            if isinstance(storage, _KeepsConnections):
                storage.keep_connections(_AT_ONCE)
        yield instance


@contextmanager
def _logs_on_stderr() -> Generator[None]:
    """Show on standard error that the embedded server starts: Dagster's own log does not exist yet."""
    logger, handler = logging.getLogger("taxi_platform"), logging.StreamHandler()
    if logger.handlers:
        yield
        return
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
