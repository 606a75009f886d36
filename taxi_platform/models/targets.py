"""The two targets that models are built on, as variables of ``dbt/profiles.yml`` made from the platform's settings.

A target is opened for one build. Opening it creates the tables that the models read, if no month is loaded yet. How
dbt is run belongs in ``project``.
"""

import json
import logging
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import NotLoaded
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import LOCK_SECONDS, STATEMENT_SECONDS, connect, execute, exists, postgres_errors
from taxi_platform.postgres.locking import try_lock
from taxi_platform.postgres.preparing import prepare
from taxi_platform.retries import TURN
from taxi_platform.trips import zones
from taxi_platform.trips.keys import MODELS_SCHEMA
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from taxi_platform.bigquery.clients import Cloud
    from taxi_platform.postgres.connection import Connection

logger = logging.getLogger(__name__)

POSTGRES, BIGQUERY = "postgres", "bigquery"
BUILD_LOCK = "taxi_platform_build_lock"  # a table in BigQuery
NO_TOKEN = "none"  # noqa: S105 - for the emulator, which checks no credentials

# The models group and join by expressions, of which the planner expects far more rows than there are; at the default
# cost of sending a row to another process it would use one process only. The memory is for sorting hashes of a month.
_OPTIONS = (
    "-c parallel_tuple_cost=0.01 -c work_mem=64MB "
    "-c jit=off -c timezone=UTC -c extra_float_digits=1 -c standard_conforming_strings=on "
    f"-c lock_timeout={LOCK_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s"
)
# Parts of a URL that dbt gets under its own names, or that the platform sets.
_HANDLED = ("host", "hostaddr", "port", "user", "password", "dbname", "options", "application_name", "connect_timeout")


@dataclass(frozen=True)
class Target:
    """One place where models are built."""

    name: str  # in ``profiles.yml``
    variables: Mapping[str, str]  # that ``profiles.yml`` reads, passwords included
    count: Callable[[str, Sequence[Month]], Mapping[Month, int]]  # returns the rows of each month of a model


@contextmanager
def open_postgres(url: str, *, prepared: bool = True) -> Generator[Target]:
    """Open the database of the trips for one build at a time, because two builds would swap the same views.

    Unless ``prepared`` is false, other builds are waited for and missing tables created; ``dbt debug`` needs neither.

    Raises:
        NotLoaded: the zone lookup does not exist.
        SchemaMismatch: a table with a service's name was not made by this platform.
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: the server does not answer, broke off or refuses.
    """
    with connect(url) as connection:
        if prepared:
            execute(connection, "set idle_session_timeout = 0")
            # The lock is released when the connection ends, however it ends.
            waiting = "Another build of the models is running in this database; waiting until it ends."
            TURN.wait_until(lambda: try_lock(connection, f"builds of {MODELS_SCHEMA}"), waiting_for=waiting)
            with postgres_errors(f"schema {MODELS_SCHEMA}"):
                for service in SERVICES.values():
                    prepare(connection, service)
                lookup = tables.qualified(zones.TABLE)
                if not exists(connection, lookup):
                    raise _no_zones(lookup, zones.TABLE)

        def count(model: str, months: Sequence[Month]) -> Mapping[Month, int]:
            query = f"select file_month, count(*) from {MODELS_SCHEMA}.{model} where file_month = any(%s) group by 1"  # noqa: S608 - our names
            return _by_month(execute(connection, query, ([month.first_day for month in months],)), months)

        yield Target(POSTGRES, _postgres_variables(connection, url), count)


@contextmanager
def open_bigquery(cloud: "Cloud", *, prepared: bool = True) -> Generator[Target]:
    """Open the dataset of the trips for one build at a time, because two builds at once could double a month.

    ``prepared`` is that of ``open_postgres``.

    Raises:
        NotLoaded: the zone lookup does not exist.
        SchemaMismatch: a table with a service's name was not made by this platform.
        CloudNotReady, CloudRefused, CloudUnavailable: the dataset or a role is missing, or Google does not answer.
    """
    from taxi_platform.bigquery import tables as bigquery
    from taxi_platform.bigquery.jobs import Jobs
    from taxi_platform.bigquery.locking import exclusive

    if prepared:
        existing = bigquery.Tables(cloud)
        for service in SERVICES.values():
            existing.ensure_trips(service)
        lookup = f"{bigquery.dataset_of(cloud)}.{zones.TABLE}"
        if existing.find(lookup) is None:
            raise _no_zones(lookup, f"{BIGQUERY}/{zones.TABLE}")

    def count(model: str, months: Sequence[Month]) -> Mapping[Month, int]:
        table = f"{bigquery.dataset_of(cloud)}.{model}"
        jobs = Jobs(cloud, f"table {table}", "models")
        days = ", ".join(f"date '{month}-01'" for month in months)
        query = f"select file_month, count(*) from `{table}` where file_month in ({days}) group by 1"  # noqa: S608 - our names
        return _by_month([row.values() for row in jobs.rows("count", query)] if months else (), months)

    waiting = "Another build of the models is running in this dataset; waiting until it ends."
    lock = exclusive(cloud, BUILD_LOCK, waiting) if prepared else nullcontext()
    with lock, _bigquery_variables(cloud) as variables:
        yield Target(BIGQUERY, variables, count)


def _postgres_variables(connection: "Connection", url: str) -> Mapping[str, str]:
    """Return the variables with which dbt connects to the server that a connection has reached by a URL.

    The rest of the URL (certificates, for example) goes to libpq's own variables, which dbt's driver reads too.
    """
    from psycopg.pq import Conninfo

    info = connection.info
    parts = {part.keyword.decode(): part for part in Conninfo.parse(url.encode())}
    further = {
        part.envvar.decode(): part.val.decode()
        for name, part in parts.items()
        if part.envvar and part.val and name not in _HANDLED
    }
    return {
        **further,
        "PGOPTIONS": f"{(parts['options'].val or b'').decode()} {_OPTIONS}".strip(),
        "TAXI_DBT_HOST": info.host,
        "TAXI_DBT_PORT": str(info.port),
        "TAXI_DBT_USER": info.user,
        "TAXI_DBT_DATABASE": info.dbname,
        "DBT_ENV_SECRET_TAXI_PASSWORD": info.password,
    }


@contextmanager
def _bigquery_variables(cloud: "Cloud") -> Generator[Mapping[str, str]]:
    """Yield the variables with which dbt works in the project; a key of GCP_CREDS is in a file meanwhile."""
    from taxi_platform.bigquery.clients import key_of, url_of

    host = cloud.bigquery_host
    variables = {
        "TAXI_DBT_PROJECT": cloud.project,
        "TAXI_DBT_DATASET": cloud.dataset,
        "TAXI_DBT_LOCATION": cloud.location,
        "TAXI_DBT_API_ENDPOINT": url_of(host) if host else "",
        "TAXI_DBT_BYTES_BILLED": str(cloud.bytes_billed),
        "TAXI_DBT_RUN": cloud.run,
        "TAXI_DBT_PARTITION_FILTER": "True" if cloud.require_partition_filter else "",
        "TAXI_DBT_IMPERSONATE": cloud.impersonated,
        "TAXI_DBT_METHOD": "oauth-secrets" if host else "oauth",
        "DBT_ENV_SECRET_TAXI_TOKEN": NO_TOKEN if host else "",
    }
    key = None if host else key_of(cloud.creds)
    if key is None:
        yield variables
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:  # for its owner only
        json.dump(key, file)
        file.flush()
        yield {**variables, "GOOGLE_APPLICATION_CREDENTIALS": file.name}


def _by_month(rows: Iterable[Any], months: Sequence[Month]) -> Mapping[Month, int]:
    counts = {Month(day.year, day.month): count for day, count in rows}
    return {month: counts.get(month, 0) for month in months}


def _no_zones(table: str, asset: str) -> NotLoaded:
    return NotLoaded(
        table,
        "the models need the zones, and they are not loaded",
        f"Run `dagster asset materialize --select {asset}` first.",
    )
