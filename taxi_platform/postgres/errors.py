"""What an error of PostgreSQL means for the platform: one table of SQLSTATEs, and one of failed connections.

Every driver's errors come here: psycopg, ADBC and SQLAlchemy's psycopg2 all follow the Python DB-API (PEP 249).
"""

from typing import NamedTuple

from taxi_platform.errors import (
    DatabaseInterrupted,
    DatabaseRefused,
    DatabaseUnreachable,
    StorageFull,
    TaxiError,
    shortened,
)


class _Meaning(NamedTuple):
    error: type[TaxiError]
    what: str
    advice: str
    transient: bool


_LOST = _Meaning(
    DatabaseInterrupted,
    "PostgreSQL went away",
    "The table is as it was; run again once the server is back.",
    transient=True,
)
_WAITED = _Meaning(
    DatabaseInterrupted, "PostgreSQL gave up waiting", "See pg_stat_activity for who holds on.", transient=True
)
_REFUSED = _Meaning(DatabaseRefused, "PostgreSQL refused", "The table is as it was.", transient=False)
_LOG_IN = _Meaning(
    DatabaseUnreachable,
    "PostgreSQL does not let the user in",
    "Check user, password and database in TAXI_POSTGRES_URL.",
    transient=False,
)

# The first entry that begins the SQLSTATE counts; anything else is refused. See PostgreSQL's appendix A.
_BY_SQLSTATE = {
    "08": _LOST,
    "57P01": _LOST,  # an administrator ended the session
    "57P02": _LOST,  # the server crashed
    "57P03": _LOST,  # it is starting or stopping
    "57P05": _LOST,  # idle_session_timeout
    "55P03": _WAITED,  # a lock was not available
    "57014": _WAITED,  # statement_timeout, or cancelled
    "25P04": _WAITED,  # transaction_timeout
    "40": _WAITED,  # a deadlock, a serialization failure
    "53200": _Meaning(DatabaseInterrupted, "PostgreSQL is out of memory", "Load fewer months at once.", transient=True),
    "53300": _Meaning(
        DatabaseUnreachable,
        "PostgreSQL has no connection left",
        "Raise max_connections, or run fewer loads at once.",
        transient=True,
    ),
    "53100": _Meaning(StorageFull, "PostgreSQL's disk is full", "Free space on it and run again.", transient=False),
    "28": _LOG_IN,
    "3D000": _LOG_IN,
}

# libpq reports no SQLSTATE for a connection that fails; the first entry whose text is in its message counts.
_PASSING = {
    "starting up": ("it is still starting", "Try again in a moment."),
    "not yet accepting": ("it is still starting", "Try again in a moment."),
    "recovery mode": ("it recovers from a crash", "Try again in a moment."),
    "shutting down": ("it is shutting down", "Start it again."),
    "closed the connection": ("it closed the connection", "Try again in a moment."),
    "resolve host": ("the host name is unknown (DNS)", "Check the host in TAXI_POSTGRES_URL."),
    "translate host": ("the host name is unknown (DNS)", "Check the host in TAXI_POSTGRES_URL."),
    "refused": ("nothing listens on the port", "Start PostgreSQL, or correct host and port in TAXI_POSTGRES_URL."),
    "timeout": ("the host does not answer (port)", "Check host, port and firewall, then TAXI_POSTGRES_URL."),
    "too many clients": ("it has no connection left", "Raise max_connections, or run fewer loads at once."),
    "connection slots": ("it has no connection left", "Raise max_connections, or run fewer loads at once."),
    "too many connections": ("it has no connection left", "Raise the limit, or run fewer loads at once."),
}
_LASTING = {
    "not permitted to log in": ("authentication failed: the user may not log in", "Allow it with alter role … login."),
    "permission denied": ("the user may not enter the database", "Grant it connect on the database."),
    "not currently accepting": ("the database accepts no connections", "Allow them with alter database."),
    "authentication": ("authentication failed", "Check user and password in TAXI_POSTGRES_URL."),
    "no password supplied": ("authentication failed: it wants a password", "Put one into TAXI_POSTGRES_URL."),
    "pg_hba.conf": ("authentication failed: it does not admit this user from here", "Add a line to its pg_hba.conf."),
    "role ": ("authentication failed: there is no such user", "Create it, or correct TAXI_POSTGRES_URL."),
    "database ": ("there is no such database", "Create it, or correct TAXI_POSTGRES_URL."),
}


def translated(subject: str, error: Exception) -> TaxiError:
    """Return the platform's own error for a driver's, which has a SQLSTATE unless the connection was lost."""
    sqlstate: str = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    meaning = next((meaning for start, meaning in _BY_SQLSTATE.items() if sqlstate.startswith(start)), _REFUSED)
    if not sqlstate and type(error).__name__ == "OperationalError":
        meaning = _LOST
    result = meaning.error(subject, f"{meaning.what} ({shortened(str(error))})", meaning.advice)
    result.transient = meaning.transient
    return result


def diagnose(server: str, message: str) -> DatabaseUnreachable:
    """Return the error for a failed connection, from libpq's message; ``server`` names it without secrets."""
    text = next((text for text in (*_PASSING, *_LASTING) if text in message), "")
    what, advice = {**_PASSING, **_LASTING}.get(text, ("no connection", "Check TAXI_POSTGRES_URL."))
    error = DatabaseUnreachable(server, f"{what} ({shortened(message)})", advice)
    error.transient = text not in _LASTING
    return error
