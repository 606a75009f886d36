"""The database of Dagster's state: created, with Dagster's own tables, by the first process that needs it.

A new state is complete before any process uses it, however many start at once or are killed. Tables of an older Dagster
are left to ``dagster instance migrate``.
"""

from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import click

from taxi_platform.errors import DatabaseRefused, InvalidSetting, TaxiError
from taxi_platform.postgres.connection import CONNECT_SECONDS, connect, execute, server_of
from taxi_platform.postgres.errors import diagnose, translated
from taxi_platform.postgres.server import STATE_SETTING, Server, as_of_state, state_server
from taxi_platform.postgres.state import BEING_CREATED, database_exists, is_complete, table_exists
from taxi_platform.retries import STATE_DATABASE
from taxi_platform.settings import Settings

POOLS = {"duckdb": 1}
"""The pools with a smaller limit than that of dagster.yaml: only one process can write to a DuckDB file."""

_LOCK = "select pg_advisory_lock(hashtextextended('the database of dagster', 0))"
_LOCK_TABLES = "select pg_advisory_lock(hashtextextended('the tables of dagster', 0))"


class StateUnavailable(TaxiError, click.ClickException):
    """Dagster's state cannot be reached or created. Dagster's commands, made with click, print it in one sentence."""


def state_url(settings: Settings) -> str:
    """Return the URL, for SQLAlchemy, of the database of Dagster's state; create what is missing.

    Raises:
        StateUnavailable: the connection, the right to create tables or the embedded server is missing.
    """
    try:
        server = state_server(settings)
        url = _embedded_url(server) if server.is_embedded else _checked(server.url)
        # Named, because SQLAlchemy 2.1 would choose psycopg 3, which cannot run all statements of dagster-postgres.
        driven = url.replace("://", "+psycopg2://", 1)
        _create_tables(driven, url)
    except TaxiError as error:
        raise StateUnavailable(*as_of_state(error)) from None
    return driven


def _checked(url: str) -> str:
    """Return the URL, or raise an error that does not repeat it, because it may hold a password."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme == "postgresql" and len(parts.path) > 1 and parts.port != 0
    except ValueError:  # the host or the port
        valid = False
    if not valid:
        advice = "Write postgresql://user:password@host:5432/dagster."
        raise InvalidSetting(STATE_SETTING, "it is not a PostgreSQL address", advice)
    return url


def _embedded_url(server: Server) -> str:
    """Return the URL of the embedded server's database for the state; create it if it is missing."""
    url = server.address()
    with connect(server.embedded.url()) as connection:
        if not database_exists(connection, server.database):
            execute(connection, _LOCK)
            if not database_exists(connection, server.database):
                execute(connection, f"create database {server.database} template template0")
    return url


def _create_tables(driven: str, url: str) -> None:
    """Let Dagster create its tables if they are missing, one process at a time."""
    import psycopg2  # as Dagster's storages do
    from psycopg2.errors import InsufficientPrivilege, InvalidSchemaName, ReadOnlySqlTransaction

    subject = "the database of Dagster's state"

    def open_connection() -> Any:
        try:
            return psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)
        except psycopg2.OperationalError as error:  # transient, because a run may begin while the server restarts
            raise diagnose(server_of(url), str(error)) from None

    with closing(STATE_DATABASE.run(open_connection, subject=subject)) as connection:
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                if not is_complete(cursor):
                    cursor.execute(_LOCK_TABLES)  # until the connection is closed
                    if not is_complete(cursor):
                        _let_dagster_create_tables(cursor, driven)
        except Exception as error:
            cause = _driver_error(error)
            if not isinstance(cause, psycopg2.Error):
                raise
            if not isinstance(cause, (InsufficientPrivilege, InvalidSchemaName, ReadOnlySqlTransaction)):
                raise translated(subject, cause) from None
            reason = " ".join(str(cause).split())
            advice = f"Set {STATE_SETTING} to a database in which its user may create tables."
            raise DatabaseRefused(subject, f"Dagster's tables cannot be created ({reason})", advice) from None


def _driver_error(error: Exception) -> Exception:
    """Return the driver's own error, which SQLAlchemy and Dagster wrap in theirs."""
    inner = getattr(error, "orig", None) or error.__cause__
    return _driver_error(inner) if isinstance(inner, Exception) else error


def _let_dagster_create_tables(cursor: Any, driven: str) -> None:
    """Create Dagster's tables, and set the limits of pools, which Dagster keeps in its tables and not in dagster.yaml.

    Dagster's storages take several transactions each, and never complete what a killed process has begun. So a table
    of ours marks a state that is being created: nothing is stored in it yet, and it is created from the start.
    """
    import dagster_postgres as storages

    if table_exists(cursor, BEING_CREATED):
        kinds = (storages.PostgresRunStorage, storages.PostgresEventLogStorage, storages.PostgresScheduleStorage)
        for kind in kinds:
            kind.create_clean_storage(driven, should_autocreate_tables=False)
    is_new = not table_exists(cursor, "runs")
    if is_new:
        cursor.execute(f"create table if not exists {BEING_CREATED} ()")
    storage = storages.DagsterPostgresStorage(driven, should_autocreate_tables=True)
    if is_new:
        for pool, limit in POOLS.items():
            storage.event_log_storage.set_concurrency_slots(pool, limit)
        cursor.execute(f"drop table {BEING_CREATED}")
