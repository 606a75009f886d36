"""The database of Dagster's state: found, created, and filled with Dagster's own tables by whichever process is first.

A new state is complete before anybody uses it, however many processes start at once and are killed. Older tables are
left to ``dagster instance migrate``.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from taxi_platform.errors import DatabaseRefused, InvalidSetting, TaxiError
from taxi_platform.postgres.connection import CONNECT_SECONDS, connect, execute, server_of
from taxi_platform.postgres.errors import diagnose
from taxi_platform.postgres.server import STATE_SETTING, Server, state_server
from taxi_platform.retries import STATE_DATABASE
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_PASSING = ("refused", "starting up", "shutting down", "closed the connection", "too many clients", "connection slots")
POOLS = {"duckdb": 1}
"""The pools that hold fewer runs than dagster.yaml says of all: a DuckDB file has one writing process."""

_LOCK = "select pg_advisory_lock(hashtextextended('the database of dagster', 0))"
_LOCK_TABLES = "select pg_advisory_lock(hashtextextended('the tables of dagster', 0))"
_BEING_MADE = "taxi_platform_state_is_being_made"
_READY = f"""
select to_regclass('runs') is not null and to_regclass('event_logs') is not null and to_regclass('jobs') is not null
and to_regclass('{_BEING_MADE}') is null"""


class StateUnavailable(TaxiError, click.ClickException):
    """Dagster's state cannot be reached or made.

    Dagster's commands are built with click, which prints such an error in one sentence instead of a stack trace.
    """


def state_url(settings: Settings) -> str:
    """Return the URL, for SQLAlchemy, of a database for Dagster's state, made if it is missing.

    Raises:
        StateUnavailable: there is no connection, no right to make the tables, or no embedded server; says which.
    """
    with _about_the_state():
        server = state_server(settings)
        url = _checked(server.url) if server.url else _embedded_url(server)
        # Named, because SQLAlchemy 2.1 would take psycopg 3, which cannot send what dagster-postgres has it send.
        driven = url.replace("://", "+psycopg2://", 1)
        _make_tables(driven, url)
    return driven


@contextmanager
def _about_the_state() -> Generator[None]:
    """Name the setting of the state in errors, because the trips' database has another one.

    Raises:
        StateUnavailable: any of the platform's own errors was raised.
    """
    try:
        yield
    except TaxiError as error:
        parts = (error.subject, error.what, error.advice)
        raise StateUnavailable(*(part.replace("TAXI_POSTGRES_URL", STATE_SETTING) for part in parts)) from None


def _checked(url: str) -> str:
    """Return the URL.

    Raises:
        InvalidSetting: it is not a URL; the message does not repeat it, because it holds a password.
    """
    try:
        parts = urlsplit(url)
        problem = (
            "" if parts.scheme == "postgresql" and len(parts.path) > 1 and parts.port != 0 else "a part is missing"
        )
    except ValueError:
        problem = "its host or port is not valid"
    if problem:
        advice = "Write postgresql://user:password@host:5432/dagster."
        raise InvalidSetting(STATE_SETTING, f"it is not a PostgreSQL address ({problem})", advice)
    return url


def _embedded_url(server: Server) -> str:
    """Return the URL of the embedded server's database for the state, made if it is missing."""
    url = server.address()
    with connect(server.embedded.url()) as connection:
        known = "select from pg_database where datname = %s"
        if execute(connection, known, (server.database,)).fetchone() is None:
            execute(connection, _LOCK)
            if execute(connection, known, (server.database,)).fetchone() is None:
                execute(connection, f"create database {server.database} template template0")
    return url


def _make_tables(driven: str, url: str) -> None:
    """Have Dagster make its tables where they are missing, one process at a time.

    Raises:
        DatabaseUnreachable: there is no connection.
        DatabaseRefused: the user may not make tables.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError, OperationalError
    from sqlalchemy.pool import NullPool

    options = {"poolclass": NullPool, "isolation_level": "AUTOCOMMIT"}
    engine = create_engine(driven, connect_args={"connect_timeout": CONNECT_SECONDS}, **options)
    try:
        subject = "the database of Dagster's state"
        with STATE_DATABASE.run(engine.connect, subject=subject, is_transient=_may_pass) as connection:
            if connection.execute(text(_READY)).scalar():
                return
            connection.execute(text(_LOCK_TABLES))  # until the connection is closed
            if not connection.execute(text(_READY)).scalar():
                _have_dagster_make_tables(connection, driven)
    except OperationalError as error:
        raise diagnose(server_of(url), str(error.orig)) from None
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        advice = f"Let {STATE_SETTING} name a database in which its user may create tables."
        raise DatabaseRefused(
            "the database of Dagster's state", f"Dagster's tables cannot be made ({reason})", advice
        ) from None


def _may_pass(error: BaseException) -> bool:
    """Tell whether a server that is just being started again may accept the next attempt; runs begin while it is."""
    from sqlalchemy.exc import OperationalError

    return isinstance(error, OperationalError) and any(text in str(error.orig) for text in _PASSING)


def _have_dagster_make_tables(connection: "Connection", driven: str) -> None:
    """Make Dagster's tables, and set the limits of pools, which Dagster keeps in its tables and not in dagster.yaml.

    Dagster's storages take several transactions each, and never complete what a killed process has begun. So a table
    of ours says that the tables are being made: nobody has stored anything in them, and they are made from the start.
    """
    from dagster_postgres import (
        DagsterPostgresStorage,
        PostgresEventLogStorage,
        PostgresRunStorage,
        PostgresScheduleStorage,
    )
    from sqlalchemy import text

    if connection.execute(text(f"select to_regclass('{_BEING_MADE}') is not null")).scalar():
        for storage in (PostgresRunStorage, PostgresEventLogStorage, PostgresScheduleStorage):
            storage.create_clean_storage(driven, should_autocreate_tables=False)
    is_new = connection.execute(text("select to_regclass('runs') is null")).scalar()
    if is_new:
        connection.execute(text(f"create table if not exists {_BEING_MADE} ()"))
    storage = DagsterPostgresStorage(driven, should_autocreate_tables=True)
    if is_new:
        for pool, limit in POOLS.items():
            storage.event_log_storage.set_concurrency_slots(pool, limit)
        connection.execute(text(f"drop table {_BEING_MADE}"))
