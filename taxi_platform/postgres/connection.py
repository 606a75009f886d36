"""Connections to PostgreSQL, and its errors in our words. What is done over a connection does not belong here."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import (
    DatabaseInterrupted,
    DatabaseRefused,
    DatabaseUnreachable,
    InvalidSetting,
    StorageFull,
    TaxiError,
    UnsupportedServer,
)

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]
    Cursor = psycopg.Cursor[tuple[Any, ...]]

Parameters = Sequence[Any] | Mapping[str, Any] | None

OLDEST_SERVER = 15
CONNECT_SECONDS = 10
LOCK_SECONDS = 30  # nothing of ours waits longer for one lock; the swap waits less, and oftener
STATEMENT_SECONDS = 3600  # the largest month takes half a minute; beyond an hour something hangs

LONGEST_MESSAGE = 500  # characters of a server's message that are repeated

_SESSION = {
    "application_name": "taxi_platform",
    "client_encoding": "UTF8",
    "client_min_messages": "warning",
    "datestyle": "ISO, MDY",  # spreadsheets rewrite the files' dates in the American way
    "lock_timeout": f"{LOCK_SECONDS}s",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "timezone": "UTC",
}

# What libpq and the server say when a connection fails, and what it means. The first that fits counts.
_PASSING = (
    ("starting up", "it is still starting", "Try again in a moment."),
    ("not yet accepting", "it is still starting", "Try again in a moment."),
    ("recovery mode", "it recovers from a crash", "Try again in a moment."),
    ("shutting down", "it is shutting down", "Start it again."),
    ("resolve host", "the host name is unknown (DNS)", "Check the host in TAXI_POSTGRES_URL."),
    ("translate host", "the host name is unknown (DNS)", "Check the host in TAXI_POSTGRES_URL."),
    ("refused", "nothing listens on the port", "Start PostgreSQL, or correct host and port in TAXI_POSTGRES_URL."),
    ("timeout", "the host does not answer (port)", "Check host, port and firewall, then TAXI_POSTGRES_URL."),
    ("too many clients", "it has no connection left", "Raise max_connections, or run fewer loads at once."),
    ("connection slots", "it has no connection left", "Raise max_connections, or run fewer loads at once."),
    ("too many connections", "it has no connection left", "Raise the limit, or run fewer loads at once."),
)
_LASTING = (
    ("not permitted to log in", "authentication failed: the user may not log in", "Allow it with alter role … login."),
    ("permission denied", "the user may not enter the database", "Grant it connect on the database."),
    ("not currently accepting", "the database accepts no connections", "Allow them with alter database."),
    ("authentication", "authentication failed", "Check user and password in TAXI_POSTGRES_URL."),
    ("no password supplied", "authentication failed: it wants a password", "Put one into TAXI_POSTGRES_URL."),
    ("pg_hba.conf", "authentication failed: it does not admit this user from here", "Add a line to its pg_hba.conf."),
    ("role ", "authentication failed: there is no such user", "Create it, or correct TAXI_POSTGRES_URL."),
    ("database ", "there is no such database", "Create it, or correct TAXI_POSTGRES_URL."),
)


def connect(url: str) -> "Connection":
    """An open connection in autocommit mode, with timeouts on connecting, on locks and on statements.

    Args:
        url: a libpq connection string or URL.

    Raises:
        DatabaseUnreachable: says which of name, port, authentication, database or number of connections failed.
        InvalidSetting: the connection string cannot be read.
        UnsupportedServer: the server is older than PostgreSQL 15.
    """
    import psycopg

    check_address(url)
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
    except psycopg.OperationalError as error:
        raise diagnose(url, str(error)) from None
    try:
        execute(connection, session_settings())
        _check_version(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.OperationalError):
            raise diagnose(url, str(error)) from None
        raise
    return connection


def session_settings() -> str:
    """The statement that gives a session its timeouts and the spellings that we rely on."""
    return "select " + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SESSION.items())


def execute(connection: "Connection", statement: str, parameters: Parameters = None) -> "Cursor":
    """Run one statement. Its text is built from the names of the contracts; what comes from outside is a parameter."""
    return connection.execute(statement.encode(), parameters)


def check_address(url: str) -> None:
    """Refuse what is no address of a PostgreSQL, without repeating it.

    Raises:
        InvalidSetting: it cannot be read, or its port is none.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        ports = str(conninfo_to_dict(url).get("port") or 5432).split(",")
        problem = "" if all(port.isdecimal() and int(port) in range(1, 65536) for port in ports) else "its port is none"
    except ProgrammingError as error:
        problem = re.sub('"[^"]*"', '"…"', " ".join(str(error).split()))  # what is quoted may hold the password
    if problem:
        raise InvalidSetting(
            "TAXI_POSTGRES_URL",
            f"it is no PostgreSQL address ({problem})",
            "Write postgresql://user:password@host:5432/database.",
        )


def diagnose(url: str, message: str) -> DatabaseUnreachable:
    """Which of name, port, authentication, database or number of connections a failed connection is about."""
    fitting = (diagnosis for diagnosis in (*_PASSING, *_LASTING) if diagnosis[0] in message)
    found = next(fitting, ("", "no connection", "Check TAXI_POSTGRES_URL."))
    error = DatabaseUnreachable(_server(url), f"{found[1]} ({' '.join(message.split())})", found[2])
    error.transient = found not in _LASTING
    return error


def _server(url: str) -> str:
    """Where a connection string leads, without its secrets."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    address = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
    return f"PostgreSQL at {address}, database {parts.get('dbname')!r}, user {parts.get('user')!r}"


def _check_version(connection: "Connection") -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER * 10_000:
        raise UnsupportedServer(
            _server(connection.info.dsn),
            f"it is PostgreSQL {version // 10_000}, and {OLDEST_SERVER} is the oldest that will do",
            "Upgrade it, or unset TAXI_POSTGRES_URL for the embedded server.",
        )


@contextmanager
def in_our_words(subject: str) -> Generator[None]:
    """Turn the server's errors inside the block into the platform's own.

    Args:
        subject: what is being worked on, for the message.

    Raises:
        DatabaseInterrupted: the connection broke, or a timeout ended a wait; trying again can help.
        StorageFull: the server's disk is full.
        DatabaseRefused: anything else that the server refuses.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise _translate(subject, error) from error


def shortened(message: str) -> str:
    """Return a server's message on one line; it may quote a field of a megabyte."""
    line = " ".join(message.split())
    return line if len(line) <= LONGEST_MESSAGE else line[:LONGEST_MESSAGE] + " …"


def _translate(subject: str, error: "psycopg.Error") -> TaxiError:
    import psycopg
    from psycopg import errors

    said = shortened(str(error))
    if isinstance(error, errors.DiskFull):
        return StorageFull(subject, f"PostgreSQL's disk is full ({said})", "Free space on it and run again.")
    if isinstance(error, errors.LockNotAvailable | errors.QueryCanceled | errors.DeadlockDetected):
        return DatabaseInterrupted(
            subject, f"PostgreSQL gave up waiting ({said})", "See pg_stat_activity for who holds on."
        )
    if isinstance(error, psycopg.OperationalError):
        return DatabaseInterrupted(
            subject, f"PostgreSQL went away ({said})", "The table is as it was; run again once the server is back."
        )
    return DatabaseRefused(subject, f"PostgreSQL refused ({said})", "The table is as it was.")
