"""Where the models are built: the variables that ``dbt/profiles.yml`` reads, made of the platform's own settings."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxi_platform.errors import NotLoaded
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import LOCK_SECONDS, STATEMENT_SECONDS, connect, execute, in_our_words
from taxi_platform.postgres.locking import try_lock
from taxi_platform.postgres.preparing import prepare
from taxi_platform.trips import zones
from taxi_platform.trips.keys import MODELS_SCHEMA
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

Log = Callable[[str], None]

POSTGRES = "postgres"
_TURN = f"builds of {MODELS_SCHEMA}"
_OPTIONS = f"-c jit=off -c timezone=UTC -c lock_timeout={LOCK_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s"
_OWN = ("host", "hostaddr", "port", "user", "password", "dbname", "options", "application_name", "connect_timeout")


def postgres_variables(connection: "Connection", url: str) -> Mapping[str, str]:
    """What dbt needs to connect to the server that a connection has reached by a URL.

    Whatever else the URL says (certificates, for one) goes to libpq's own variables, which dbt's driver reads as well.
    """
    from psycopg.pq import Conninfo

    info = connection.info
    said = {one.keyword.decode(): one for one in Conninfo.parse(url.encode())}
    further = {
        one.envvar.decode(): one.val.decode()
        for name, one in said.items()
        if one.envvar and one.val and name not in _OWN
    }
    own = said["options"].val
    return {
        **further,
        "PGOPTIONS": f"{own.decode() if own else ''} {_OPTIONS}".strip(),
        "TAXI_DBT_HOST": info.host,
        "TAXI_DBT_PORT": str(info.port),
        "TAXI_DBT_USER": info.user,
        "TAXI_DBT_DATABASE": info.dbname,
        "DBT_ENV_SECRET_TAXI_PASSWORD": info.password,
    }


def prepare_postgres(connection: "Connection") -> None:
    """Have every table that the models read, if need be without a row: of a service, no month may be loaded yet.

    Raises:
        NotLoaded: the zone lookup is not there.
        SchemaMismatch: there is a table of a service's name which is not ours.
        DatabaseInterrupted, DatabaseRefused: as they say.
    """
    with in_our_words(f"schema {MODELS_SCHEMA}"):
        for service in SERVICES.values():
            prepare(connection, service)
        lookup = tables.qualified(zones.TABLE)
        if execute(connection, "select to_regclass(%s)", (lookup,)).fetchone() == (None,):
            raise NotLoaded(
                lookup,
                "the models need the zones, and they are not loaded",
                f"Run `dagster asset materialize --select {zones.TABLE}` first.",
            )


@dataclass(frozen=True)
class Target:
    """One place where the models are built.

    Attributes:
        name: its name in ``profiles.yml``.
        prefix: what the keys of its assets begin with.
        variables: what ``profiles.yml`` reads, passwords included.
        count: asks how many rows of each month a model has.
    """

    name: str
    prefix: Sequence[str]
    variables: Mapping[str, str]
    count: Callable[[str, Sequence[Month]], Mapping[Month, int]]


@contextmanager
def postgres_target(url: str, log: Log, *, only_look: bool = False) -> Generator[Target]:
    """The database of the trips, for one build at a time: two would exchange the same views.

    Args:
        url: the database.
        log: where it is told that another build is waited for.
        only_look: whether nothing is built, so that nothing has to be there and nobody waited for.

    Raises:
        DatabaseUnreachable: says which of name, port, authentication, database or number of connections failed.
        NotLoaded, SchemaMismatch, DatabaseInterrupted, DatabaseRefused: as ``prepare_postgres`` says.
    """
    with connect(url) as connection:
        if not only_look:
            execute(connection, "set idle_session_timeout = 0")
            _wait_for_turn(connection, log)
            prepare_postgres(connection)

        def count(model: str, months: Sequence[Month]) -> Mapping[Month, int]:
            return _count(connection, model, months)

        yield Target(POSTGRES, (), postgres_variables(connection, url), count)


def _wait_for_turn(connection: "Connection", log: Log) -> None:
    """Hold the lock of all builds until the connection ends, however it ends."""
    wait = 0.0
    while not try_lock(connection, _TURN):
        if not wait:
            log("another build of the models is going on in this database; waiting for its end")
        wait = min(2 * wait or 0.05, 1.0)
        time.sleep(wait)


def _count(connection: "Connection", model: str, months: Sequence[Month]) -> Mapping[Month, int]:
    days = [f"{month}-01" for month in months]
    query = f"select file_month, count(*) from {MODELS_SCHEMA}.{model} where file_month = any(%s::date[]) group by 1"  # noqa: S608
    found = {Month(day.year, day.month): rows for day, rows in execute(connection, query, (days,)).fetchall()}
    return {month: found.get(month, 0) for month in months}
