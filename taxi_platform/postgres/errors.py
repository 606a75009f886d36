"""What an error of PostgreSQL means for the platform: one table of SQLSTATEs, and one of failed connections.

Every driver's errors come here: psycopg, ADBC and SQLAlchemy's psycopg2 all follow the Python DB-API (PEP 249).
"""

import re

from taxi_platform.errors import (
    DatabaseInterrupted,
    DatabaseRefused,
    DatabaseUnreachable,
    StorageFull,
    TaxiError,
    shortened,
)

_RUN_AGAIN = "The table is as it was; run again once the server is back."
_LOST = (DatabaseInterrupted, "PostgreSQL went away", _RUN_AGAIN)
_WAITED = (DatabaseInterrupted, "PostgreSQL gave up waiting", "pg_stat_activity shows which session holds the lock.")
_REFUSED = (DatabaseRefused, "PostgreSQL refused", "The table is as it was.")
_FULL = "Raise max_connections, or run fewer loads at once."
_CHECK = "Check user, password and database in TAXI_POSTGRES_URL."
_NO_LOG_IN = (DatabaseUnreachable, "PostgreSQL does not let the user in", _CHECK)

# The first entry with which a SQLSTATE begins decides; without one, PostgreSQL refused. See PostgreSQL's appendix A.
_BY_SQLSTATE: dict[str, tuple[type[TaxiError], str, str]] = {
    "08": _LOST,
    "57P01": _LOST,  # an administrator ended the session
    "57P02": _LOST,  # the server crashed
    "57P03": _LOST,  # it is starting or stopping
    "57P05": _LOST,  # idle_session_timeout
    "55P03": _WAITED,  # a lock was not available
    "57014": _WAITED,  # statement_timeout, or cancelled
    "25P04": _WAITED,  # transaction_timeout
    "40": _WAITED,  # a deadlock, a serialization failure
    "53200": (DatabaseInterrupted, "PostgreSQL is out of memory", "Load fewer months at once."),
    "53300": (DatabaseUnreachable, "PostgreSQL has no connection left", _FULL),
    "53100": (StorageFull, "PostgreSQL's disk is full", "Free space on it and run again."),
    "28": _NO_LOG_IN,
    "3D000": _NO_LOG_IN,
}

# libpq reports no SQLSTATE for a connection that fails; the first entry that is found in its message decides.
_FAILED_CONNECTIONS = {
    "(resolve|translate) host": ("the host name is unknown (DNS)", "Check the host in TAXI_POSTGRES_URL."),
    "refused": ("nothing listens on the port", "Start PostgreSQL, or correct host and port in TAXI_POSTGRES_URL."),
    "timeout": ("the host does not answer (port)", "Check host, port and firewall, then TAXI_POSTGRES_URL."),
    "too many|connection slots": ("it has no connection left", _FULL),
    "starting up|not yet accepting|recovery mode|shutting down": ("it is starting or stopping", "Try again soon."),
}
_REFUSED_CONNECTIONS = {
    "authentication|password|pg_hba.conf|role |permission denied|not permitted": ("authentication failed", _CHECK),
    "database .* does not exist": ("there is no such database", "Create it, or correct TAXI_POSTGRES_URL."),
}


def translated(subject: str, error: Exception) -> TaxiError:
    """Return the platform's own error for a driver's, which has a SQLSTATE unless the connection was lost."""
    sqlstate: str = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    if not sqlstate and type(error).__name__ == "OperationalError":
        sqlstate = "08"
    meaning = next((meaning for start, meaning in _BY_SQLSTATE.items() if sqlstate.startswith(start)), _REFUSED)
    kind, what, advice = meaning
    result = kind(subject, f"{what} ({shortened(str(error))})", advice)
    result.transient = kind.transient and meaning is not _NO_LOG_IN
    return result


def diagnose(server: str, message: str) -> DatabaseUnreachable:
    """Return the error for a failed connection, from libpq's message; ``server`` names it without secrets."""
    known = {**_FAILED_CONNECTIONS, **_REFUSED_CONNECTIONS, "": ("no connection", "Check TAXI_POSTGRES_URL.")}
    pattern, (what, advice) = next((key, value) for key, value in known.items() if re.search(key, message))
    error = DatabaseUnreachable(server, f"{what} ({shortened(message)})", advice)
    error.transient = pattern not in _REFUSED_CONNECTIONS
    return error
