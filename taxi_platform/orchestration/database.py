"""The database of Dagster's state: found, made, and filled with Dagster's tables, whoever comes first.

A new database is made whole or not at all, however many processes start at once. Older tables are left to
``dagster instance migrate``.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from taxi_platform.errors import DatabaseRefused, InvalidSetting, TaxiError
from taxi_platform.postgres.connection import CONNECT_SECONDS, connect, diagnose, execute
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

Log = Callable[[str], object]

SETTING = "TAXI_DAGSTER_POSTGRES_URL"
DATABASE = "dagster"
PATIENCE = 10.0  # seconds: what a restart takes, and what a person bears who has forgotten to start the server
_MAY_PASS = ("refused", "starting up", "shutting down", "closed the connection", "too many clients", "connection slots")
POOLS = {"duckdb": 1}
"""The pools that hold fewer runs than dagster.yaml says of all: a DuckDB file has one writing process."""

_LOCK = "select pg_advisory_lock(hashtextextended('the database of dagster', 0))"
_LOCK_TABLES = "select pg_advisory_xact_lock(hashtextextended('the tables of dagster', 0))"
_READY = """
select to_regclass('runs') is not null and to_regclass('event_logs') is not null and to_regclass('jobs') is not null"""


class StateUnavailable(TaxiError, click.ClickException):
    """Dagster's state cannot be reached or made.

    Dagster's commands are click's, which tell such an error in one sentence instead of a stack trace.
    """


def state_url(settings: Settings, log: Log) -> str:
    """The URL, for SQLAlchemy, of a database in which Dagster can keep its state, made if it is missing.

    Raises:
        StateUnavailable: there is no connection, no right to make the tables, or no embedded server; says which.
    """
    with _about_the_state():
        own = settings.dagster_postgres_url
        url = _checked(own.get_secret_value()) if own else _embedded_url(settings, log)
        # Named, because SQLAlchemy 2.1 would take psycopg 3, which cannot send what dagster-postgres has it send.
        driven = url.replace("://", "+psycopg2://", 1)
        _make_tables(driven, url)
    return driven


@contextmanager
def _about_the_state() -> Generator[None]:
    """Tell errors so that nobody takes them for errors of the trips' database, which has another setting."""
    try:
        yield
    except TaxiError as error:
        parts = (error.subject, error.what, error.advice)
        raise StateUnavailable(*(part.replace("TAXI_POSTGRES_URL", SETTING) for part in parts)) from None


def _checked(url: str) -> str:
    """The URL if it is one; what is wrong is told without repeating it, for it holds a password."""
    try:
        parts = urlsplit(url)
        problem = (
            "" if parts.scheme == "postgresql" and len(parts.path) > 1 and parts.port != 0 else "a part is missing"
        )
    except ValueError:
        problem = "its host or port is none"
    if problem:
        advice = "Write postgresql://user:password@host:5432/dagster."
        raise InvalidSetting(SETTING, f"it is no PostgreSQL address ({problem})", advice)
    return url


def _embedded_url(settings: Settings, log: Log) -> str:
    """The embedded server's database ``dagster``, beside the trips' own."""
    from taxi_platform.postgres.embedded.server import EmbeddedServer

    trips = EmbeddedServer(settings.data_dir / "postgres").start(log)
    with connect(trips) as connection:
        known = "select from pg_database where datname = %s"
        if execute(connection, known, (DATABASE,)).fetchone() is None:
            execute(connection, _LOCK)
            if execute(connection, known, (DATABASE,)).fetchone() is None:
                execute(connection, f"create database {DATABASE} template template0")
    return urlsplit(trips)._replace(path=f"/{DATABASE}").geturl()


def _make_tables(driven: str, url: str) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError, OperationalError
    from sqlalchemy.pool import NullPool

    engine = create_engine(driven, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS})
    try:
        with _patiently(engine.connect) as connection:
            if connection.execute(text(_READY)).scalar():
                return
        _make_all_or_none(engine)
    except OperationalError as error:
        raise diagnose(url, str(error.orig)) from None
    except DBAPIError as error:
        said = " ".join(str(error.orig).split())
        advice = f"Let {SETTING} name a database in which its user may create tables."
        raise DatabaseRefused(
            "the database of Dagster's state", f"Dagster's tables cannot be made ({said})", advice
        ) from None


def _patiently(connect: "Callable[[], Connection]") -> "Connection":
    """A connection, also to a server that is just being started again; runs begin while it is."""
    from sqlalchemy.exc import OperationalError
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

    def may_pass(error: BaseException) -> bool:
        return isinstance(error, OperationalError) and any(sign in str(error.orig) for sign in _MAY_PASS)

    return Retrying(
        retry=retry_if_exception(may_pass), wait=wait_fixed(0.5), stop=stop_after_delay(PATIENCE), reraise=True
    )(connect)


def _make_all_or_none(engine: "Engine") -> None:
    """Make what is missing of Dagster's tables in one transaction, one process at a time.

    Dagster's storages do the same each for itself in several transactions, and complain when two processes do it.
    """
    import dagster_postgres.run_storage
    from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
    from dagster._core.storage.runs.schema import RunStorageSqlMetadata
    from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
    from dagster._core.storage.sql import stamp_alembic_rev
    from dagster_postgres.utils import pg_alembic_config
    from sqlalchemy import inspect, text

    with engine.begin() as connection:
        connection.execute(text(_LOCK_TABLES))
        is_new = not inspect(connection).get_table_names()
        for metadata in (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata):
            metadata.create_all(connection)
        if is_new:
            _mark_nothing_to_migrate(connection)
            _limit_pools(connection)
            stamp_alembic_rev(pg_alembic_config(str(dagster_postgres.run_storage.__file__)), connection)


def _mark_nothing_to_migrate(connection: "Connection") -> None:
    """Have Dagster read the new tables in its fast way, which it keeps for tables whose old rows are converted."""
    from dagster._core.storage.event_log import migration as events
    from dagster._core.storage.runs import migration as runs
    from dagster._core.storage.runs.schema import SecondaryIndexMigrationTable
    from dagster._core.storage.schedules import migration as schedules
    from sqlalchemy import func

    names = [
        *runs.REQUIRED_DATA_MIGRATIONS,
        *runs.OPTIONAL_DATA_MIGRATIONS,
        *events.EVENT_LOG_DATA_MIGRATIONS,
        *events.ASSET_DATA_MIGRATIONS,
        *schedules.REQUIRED_SCHEDULE_DATA_MIGRATIONS,
        *schedules.OPTIONAL_SCHEDULE_DATA_MIGRATIONS,
    ]
    row = SecondaryIndexMigrationTable.insert().values(migration_completed=func.now())
    connection.execute(row, [{"name": name} for name in names])


def _limit_pools(connection: "Connection") -> None:
    """Set the limits of single pools, which Dagster keeps in its tables and not in dagster.yaml."""
    from dagster._core.storage.event_log.schema import ConcurrencyLimitsTable

    rows = [{"concurrency_key": pool, "limit": limit} for pool, limit in POOLS.items()]
    connection.execute(ConcurrencyLimitsTable.insert(), rows)
