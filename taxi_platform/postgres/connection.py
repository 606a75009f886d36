"""Connections to PostgreSQL: timeouts, session settings, errors. What is done over them does not belong here."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import InvalidSetting, UnsupportedServer
from taxi_platform.postgres.errors import diagnose, translated

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]
    Cursor = psycopg.Cursor[tuple[Any, ...]]
else:  # psycopg takes long to import, and is not needed to load the definitions
    Connection = Cursor = Any

Parameters = Sequence[Any] | Mapping[str, Any] | None

OLDEST_SERVER = 15
CONNECT_SECONDS = 10
LOCK_SECONDS = 30  # no statement of the platform waits longer for one lock; the swap waits less, and more often
STATEMENT_SECONDS = 3600  # the largest month takes half a minute; after an hour something hangs

_SESSION = {
    "application_name": "taxi_platform",
    "client_encoding": "UTF8",
    "client_min_messages": "warning",
    "datestyle": "ISO, MDY",
    "default_transaction_isolation": "read committed",  # what waited for a lock must see what it waited for
    "extra_float_digits": "1",  # fewer digits would give other row ids
    "lock_timeout": f"{LOCK_SECONDS}s",
    # Our SQL names every schema: what somebody else has put into "public" must not replace a function of the server's.
    "search_path": "pg_catalog, pg_temp",
    "standard_conforming_strings": "on",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "timezone": "UTC",
}


def connect(url: str) -> Connection:
    """Return an open connection in autocommit mode, with timeouts on connecting, on locks and on statements.

    Raises:
        DatabaseUnreachable: says which of name, port, authentication, database or number of connections failed.
        InvalidSetting: the connection string cannot be read.
        UnsupportedServer: the server is older than PostgreSQL 15, or a connection pooler is in front of it.
    """
    import psycopg

    check_address(url)
    try:
        keepalives: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS, **keepalives)
    except psycopg.OperationalError as error:
        raise diagnose(server_of(url), str(error)) from None
    try:
        execute(connection, session_settings())
        _check_server(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.OperationalError):
            raise diagnose(server_of(url), str(error)) from None
        raise
    return connection


def session_settings() -> str:
    """Return the statement that gives a session its timeouts and the spellings that the platform relies on."""
    return "select " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SESSION.items())


def execute(connection: Connection, statement: str, parameters: Parameters = None) -> Cursor:
    """Run one statement. Its text is built from names of the contracts; everything from outside is a parameter."""
    return connection.execute(statement.encode(), parameters)


def exists(connection: Connection, table: str) -> bool:
    """Return whether there is a table of this name, which includes its schema."""
    return execute(connection, "select to_regclass(%s) is not null", (table,)).fetchone() == (True,)


def check_address(url: str) -> None:
    """Raise ``InvalidSetting``, which quotes no password, unless this is the address of a PostgreSQL server."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        ports = str(conninfo_to_dict(url).get("port") or 5432).split(",")
        valid = all(port.isdecimal() and int(port) in range(1, 65536) for port in ports)
        problem = "" if valid else "its port is not a number from 1 to 65535"
    except ProgrammingError as error:
        problem = re.sub('"[^"]*"', '"…"', " ".join(str(error).split()))  # what is quoted may hold the password
    if problem:
        raise InvalidSetting(
            "TAXI_POSTGRES_URL",
            f"it is not a PostgreSQL address ({problem})",
            "Write postgresql://user:password@host:5432/database.",
        )


def server_of(url: str) -> str:
    """Return where a connection string leads, without its secrets."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    address = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
    return f"PostgreSQL at {address}, database {parts.get('dbname')!r}, user {parts.get('user')!r}"


def _check_server(connection: Connection) -> None:
    """Refuse an old server, and a connection pooler, which would pass on a session with its locks to other clients.

    A pooler answers for the server, so the process that it names is not the one that runs the statements.
    """
    version = connection.info.server_version
    if version < OLDEST_SERVER * 10_000:
        raise UnsupportedServer(
            server_of(connection.info.dsn),
            f"it is PostgreSQL {version // 10_000}, and {OLDEST_SERVER} is the oldest that is supported",
            "Upgrade it, or unset TAXI_POSTGRES_URL for the embedded server.",
        )
    if execute(connection, "select pg_backend_pid()").fetchone() != (connection.info.backend_pid,):
        raise UnsupportedServer(
            server_of(connection.info.dsn),
            "a connection pooler (PgBouncer, Neon's or Supabase's pooled address) is in front of the server",
            "Use the server's direct address: without -pooler at Neon, db.….supabase.co and port 5432 at Supabase.",
        )


@contextmanager
def postgres_errors(subject: str) -> Generator[None]:
    """Turn psycopg's errors inside the block, which works on ``subject``, into the platform's own; see ``errors``."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise translated(subject, error) from error
