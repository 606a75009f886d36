"""Checks of what the platform talks to, in one attempt with short timeouts. They start no server and change nothing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from taxi_platform.bigquery import setup
from taxi_platform.bigquery.clients import cloud_of, problems_of_names
from taxi_platform.errors import NotPublished, SourceUnreachable
from taxi_platform.operations.alerts import addresses_of, problem_with
from taxi_platform.operations.doctor import Finding, ok, problem, problem_of, warning
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, connect, execute, postgres_errors
from taxi_platform.postgres.embedded import cluster, programs
from taxi_platform.postgres.preparing import check_encoding
from taxi_platform.postgres.server import state_server, trips_server
from taxi_platform.redaction import public
from taxi_platform.retries import ONCE
from taxi_platform.settings import Settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import source_named
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SERVICES, SMALLEST
from taxi_platform.trips.zones import TABLE as ZONES

USER = "the user of TAXI_POSTGRES_URL"
SAMPLE = "TAXI_SOURCE=sample makes trips without a network."
CLOUD_TIMEOUTS = (5.0, 10.0)  # seconds; a run would wait and repeat a request for minutes
ALERT_EXAMPLES = "Examples are in docs/troubleshooting.md."

_PRIVILEGES = """
select
    current_setting('transaction_read_only') = 'on',
    has_schema_privilege(%(schema)s, 'create'),
    array(
        select relname::text from pg_class
        where relnamespace = to_regnamespace(%(schema)s) and relname = any(%(tables)s)
            and not pg_has_role(relowner, 'usage')
        order by 1
    )
"""


def examine_postgres(settings: Settings) -> Iterator[Finding]:
    """Check the trips' server, unless it is the embedded one: the log-in, the encoding, and what the user may do."""
    server = trips_server(settings)
    if server.is_embedded:
        return
    names = [name.rpartition(".")[2] for name in (tables.FILES, *map(tables.table_of, SERVICES.values()), ZONES)]
    with connect(server.url) as connection, postgres_errors("the user's privileges"):
        yield describe_server(connection)
        check_encoding(connection)
        values = {"schema": tables.SCHEMA, "tables": names}
        row = cast("tuple[Any, ...]", execute(connection, _PRIVILEGES, values).fetchone())
    read_only, may_create, foreign = row
    if read_only:
        advice = "Name a primary, or `alter role … set default_transaction_read_only = off`."
        yield problem("the server or the user is read-only", advice)
    if not may_create:
        advice = f"As its owner: grant create on schema {tables.SCHEMA} to that user."
        yield problem(f"{USER} may not create tables in the schema {tables.SCHEMA}", advice)
    if foreign:
        yield problem(
            f"{USER} does not own {', '.join(foreign)}, and cannot replace their months",
            "Use the user who created them, or alter table … owner to that user.",
        )


def describe_server(connection: Connection) -> Finding:
    """Return a finding that names the server of a connection."""
    info = connection.info
    version = f"{info.server_version // 10_000}.{info.server_version % 10_000}"
    return ok(f"PostgreSQL {version} at {info.host}:{info.port}, database {info.dbname!r}, user {info.user!r}")


def examine_embedded(settings: Settings) -> Iterator[Finding]:
    """Check that the server runs and answers, or can be started, if trips or Dagster's state are kept there."""
    used = [server for server in (trips_server(settings), state_server(settings)) if server.is_embedded]
    if not used:
        return
    server = used[0].embedded
    programs.installed()
    programs.account_for(server.data)
    if not server.data.exists():
        yield ok("never started; the first command that needs it creates and starts it")
        return
    cluster.check_version(server.data)
    if server.is_running():
        with connect(server.url()) as connection:
            yield describe_server(connection)
    elif cluster.is_locked(server.folder / "lock"):
        advice = f"Wait a moment and run this again; its log is in {server.data}/log."
        yield warning("it is being started or stopped, or hangs", advice)
    else:
        yield ok(f"not running; the next command that needs it starts it ({server.folder})")


def examine_source(settings: Settings) -> Iterator[Finding]:
    """Ask the source once for the first month of the smallest service."""
    month = month_range(settings, SMALLEST)[0]
    try:
        source = source_named(settings.source, short_timeouts=True)
        Cache(settings.data_dir / "raw", source)
        version = source.version(source.trips(SMALLEST, month))
    except SourceUnreachable as error:
        yield problem(error.what, f"Check the network and TAXI_SOURCE. {SAMPLE}")
    except NotPublished as error:
        yield problem(f"{error.what}, which is the first month", f"Check TAXI_SOURCE and TAXI_FIRST_MONTH. {SAMPLE}")
    else:
        size = f", {version.bytes:,} bytes" if version.bytes else ""
        yield ok(f"{public(settings.source)} has {SMALLEST.file_name(month)}{size}")


def examine_cloud(settings: Settings) -> Iterator[Finding]:
    """Check the settings, the credentials, the bucket and the dataset, as a run does before its first byte."""
    chosen = settings.cloud
    if chosen is None:
        yield ok("not configured (no GCP_…), so gcs/… and bigquery/… are not loaded")
        return
    wrong_names = list(problems_of_names(chosen)) if chosen.is_complete else []
    yield from map(problem_of, wrong_names)
    if wrong_names:
        return
    cloud = replace(cloud_of(chosen), retries=ONCE, timeouts=CLOUD_TIMEOUTS)
    problems = list(setup.problems(cloud))
    yield from map(problem_of, problems)
    if not problems:
        yield ok(f"credentials, gs://{cloud.bucket} and the dataset {cloud.dataset} in {cloud.location} are in order")


def examine_alerts(settings: Settings) -> Iterator[Finding]:
    """Check that Apprise knows each address of ``TAXI_ALERT_URLS``; nothing is sent."""
    if settings.alert_urls is None:
        yield ok("TAXI_ALERT_URLS is not set, so nobody is notified of failed runs")
        return
    addresses = addresses_of(settings.alert_urls.get_secret_value())
    problems = {address: text for address in addresses if (text := problem_with(address))}
    for address, text in problems.items():
        yield problem(f"TAXI_ALERT_URLS, {address.name}: {text}", ALERT_EXAMPLES)
    good = [address.name for address in addresses if address not in problems]
    if good:
        yield ok(f"failed runs are reported to {', '.join(good)}")
