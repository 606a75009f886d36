"""A PostgreSQL server of one's own: which of name, port, log-in, database, version and privileges fails."""

import socket
from collections.abc import Iterator
from typing import Any, cast

from taxi_platform.errors import DatabaseUnreachable, TaxiError
from taxi_platform.operations.doctor.findings import Finding, ok, problem
from taxi_platform.postgres import tables
from taxi_platform.settings import Settings
from taxi_platform.trips.services import SERVICES
from taxi_platform.trips.zones import TABLE as ZONES

SECONDS = 4.0  # for the port to take a connection
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


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the trips' server, if it is not the embedded one."""
    if settings.postgres_url is None:
        return
    url = settings.postgres_url.get_secret_value()
    yield from reached(url)
    yield from allowed(url)


def reached(url: str) -> Iterator[Finding]:
    """Whether the server is found, listens and lets us in, and whether it is young enough.

    Raises:
        DatabaseUnreachable, InvalidSetting, UnsupportedServer: says which of these fails.
    """
    from taxi_platform.postgres.connection import connect

    _knock(url)
    with connect(url) as connection:
        info = connection.info
        version = f"{info.server_version // 10_000}.{info.server_version % 10_000}"
        yield ok(f"PostgreSQL {version} at {info.host}:{info.port}, database {info.dbname!r}, user {info.user!r}")
        if info.server_version < 180_000:
            yield ok("before PostgreSQL 18 unique_row_id is stored, so that tables are a third larger")


def allowed(url: str) -> Iterator[Finding]:
    """Whether the user may make tables, and replace those that are there."""
    from taxi_platform.postgres.connection import connect, execute
    from taxi_platform.postgres.errors import postgres_errors

    names = [name.rpartition(".")[2] for name in (tables.FILES, *map(tables.table_of, SERVICES.values()), ZONES)]
    with connect(url) as connection, postgres_errors("the user's privileges"):
        values = {"schema": tables.SCHEMA, "tables": names}
        row = cast("tuple[Any, ...]", execute(connection, _PRIVILEGES, values).fetchone())
    read_only, may_create, foreign = row
    user = "the user of TAXI_POSTGRES_URL"
    if read_only:
        advice = "Name a primary, or `alter role … set default_transaction_read_only = off`."
        yield problem("the server or the user is read-only", advice)
    if not may_create:
        advice = f"As its owner: grant create on schema {tables.SCHEMA} to that user."
        yield problem(f"{user} may not create tables in the schema {tables.SCHEMA}", advice)
    if foreign:
        yield problem(
            f"{user} does not own {', '.join(foreign)}, and cannot replace their months",
            "Use the user who made them, or alter table … owner to that user.",
        )


def _knock(url: str) -> None:
    """Tell an unknown name and a closed port from a refused log-in, before libpq tries all at once."""
    from psycopg.conninfo import conninfo_to_dict

    from taxi_platform.postgres.connection import check_address

    check_address(url)
    parts = conninfo_to_dict(url)
    host, port = str(parts.get("hostaddr") or parts.get("host") or ""), str(parts.get("port") or 5432)
    if not host or host.startswith(("/", "@")) or "," in host:
        return  # a socket in the file system, or several hosts, of which libpq takes the first that answers
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        advice = "Check the host in TAXI_POSTGRES_URL; in Compose it is the service's name, outside of it 127.0.0.1."
        raise DatabaseUnreachable(f"host {host}", "the host name is unknown (DNS)", advice) from None
    _open(f"{host}:{port}", [entry[4] for entry in found])


def _open(place: str, addresses: list[Any]) -> None:
    for last, address in ((one == addresses[-1], one) for one in addresses):
        try:
            socket.create_connection(address[:2], timeout=SECONDS).close()
        except OSError as error:
            if last:
                raise _closed(place, error) from None
        else:
            return


def _closed(place: str, error: OSError) -> TaxiError:
    if isinstance(error, ConnectionRefusedError):
        advice = "Start PostgreSQL, or correct host and port in TAXI_POSTGRES_URL."
        return DatabaseUnreachable(place, "nothing listens on the port", advice)
    if isinstance(error, TimeoutError):
        advice = "Check host, port and firewall, then TAXI_POSTGRES_URL."
        return DatabaseUnreachable(place, f"the host does not answer on the port within {SECONDS:.0f} s", advice)
    said = (error.strerror or str(error)).lower()
    advice = "Check the network, then TAXI_POSTGRES_URL."
    return DatabaseUnreachable(place, f"the port cannot be reached ({said})", advice)
