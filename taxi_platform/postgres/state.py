"""What exists of Dagster's state in PostgreSQL: its database, and its tables. Decided only here, and only read.

Creating what is missing belongs in ``orchestration/database.py``.
"""

from typing import Any

from taxi_platform.postgres.connection import Connection, execute

BEING_CREATED = "taxi_platform_state_is_being_made"
"""The table that marks a state whose creation has not ended, or was killed."""


def database_exists(connection: Connection, name: str) -> bool:
    """Return whether the server of a connection has a database of this name."""
    return execute(connection, "select from pg_database where datname = %s", (name,)).fetchone() is not None


def is_complete(cursor: Any) -> bool:
    """Return whether Dagster's tables are complete, so that opening the instance creates nothing.

    The cursor, of psycopg or psycopg2, needs the search path that Dagster's connections have.
    """
    tables = all(table_exists(cursor, table) for table in ("runs", "event_logs", "jobs"))
    return tables and not table_exists(cursor, BEING_CREATED)


def table_exists(cursor: Any, table: str) -> bool:
    """Return whether there is a table of this name in the cursor's search path."""
    cursor.execute("select to_regclass(%s) is not null", (table,))
    return cursor.fetchone()[0]
