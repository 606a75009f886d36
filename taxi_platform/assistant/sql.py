"""Data for an answer: one SELECT that a model wrote, run by a role that may only read the trips and the models.

The role is the defence, not a list of what a statement may contain: it has SELECT on those tables and no other right.
Besides, the session is READ ONLY, has a time limit and is rolled back; and the statement has to be one that a cursor
accepts, so that PostgreSQL's own parser refuses everything that is not a query.

The role may log in only while a session of ours begins, with a password that works this one time: no password has to
be kept, and nobody else can use the role.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

from taxi_platform.assistant.model import AnswerRefused
from taxi_platform.errors import DatabaseInterrupted, DatabaseRefused
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, connect, execute, postgres_errors
from taxi_platform.trips.keys import MODELS_SCHEMA
from taxi_platform.trips.services import SERVICES
from taxi_platform.trips.zones import TABLE as ZONES

STATEMENT_SECONDS = 30  # the largest table is counted in ten
TEMPORARY = "1GB"  # of files that the sorting of one statement may fill
ROWS = 100  # more than anybody reads in an answer
LONGEST_CELL = 200  # characters

_READABLE = """
select n.nspname || '.' || c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm') and quote_ident(c.relname) = c.relname -- names that need quotes are left out
    and (n.nspname = %s or n.nspname || '.' || c.relname = any(%s))
order by 1"""
_NOT_GRANTED = """
select t.name from unnest(%s::text[]) as t (name)
where not (has_schema_privilege(%s, split_part(t.name, '.', 1), 'usage') and has_table_privilege(%s, t.name, 'select'))
"""
# Every role may write to the write-ahead log by this function, also in a transaction that is read-only and rolled back.
_WRITES_LOG = """
select oid::regprocedure::text from pg_proc
where proname = 'pg_logical_emit_message' and current_setting('cluster_name') = 'taxi_platform' -- the embedded server's
    and has_function_privilege(%s, oid, 'execute')"""
_COLUMNS = """
select t.name, a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum)
from unnest(%s::text[]) as t (name) join pg_attribute as a on a.attrelid = t.name::regclass
where a.attnum > 0 and not a.attisdropped
order by t.name, a.attnum"""

_Row = tuple[str | None, ...]  # None is NULL


@dataclass(frozen=True)
class QueryResult:
    """The first hundred rows of a statement, as texts of at most 200 characters, and whether there are more."""

    columns: Sequence[str]
    rows: Sequence[_Row]
    is_cut: bool
    seconds: float

    @property
    def material(self) -> dict[str, object]:
        """The rows as a language model gets them."""
        return {"columns": self.columns, "rows": self.rows, "more_rows_exist": self.is_cut}


class Reader:
    """A session of ``role``, which may only read the tables of ``schema``, with each column's type and meaning."""

    def __init__(self, connection: Connection, readable: Sequence[str]) -> None:
        columns: dict[str, dict[str, str]] = defaultdict(dict)
        for table, column, kind, meaning in execute(connection, _COLUMNS, (list(readable),)).fetchall():
            columns[table][column] = f"{kind}: {meaning}" if meaning else kind
        self.role = connection.info.user
        self.schema: Mapping[str, Mapping[str, str]] = dict(columns)
        self._connection = connection

    def run(self, statement: str) -> QueryResult:
        """Run one query, and roll back whatever it did.

        Raises:
            AnswerRefused: the server refuses it, or ends it because it takes too much.
            DatabaseInterrupted: the server went away.
        """
        query = statement.strip().rstrip(";")
        started = time.monotonic()
        try:
            with (
                postgres_errors("the statement"),
                self._connection.transaction(force_rollback=True),
                self._connection.cursor() as cursor,
            ):
                # A cursor takes one whole query, and nothing that would end the parentheses below; it runs nothing yet.
                cursor.execute(f"declare answer cursor for {query}".encode(), prepare=True)
                columns = [column.name for column in cursor.execute("fetch 0 from answer").description or ()]
                # The server cuts the cells: one of them alone could fill this process's memory.
                names = [f"c{number}" for number in range(len(columns))]
                cells = ", ".join(f"left({name}::text, {LONGEST_CELL})" for name in names)
                # The line break ends a comment.
                wrapped = f"select {cells} from (\n{query}\n) as answer ({', '.join(names)}) limit {ROWS + 1}"  # noqa: S608
                rows = cast("list[_Row]", cursor.execute(wrapped.encode(), prepare=True).fetchall())
        except (DatabaseRefused, DatabaseInterrupted) as error:
            if self._connection.closed:
                raise
            raise AnswerRefused("the statement", error.what) from None
        finally:
            if not self._connection.closed:
                # A rollback keeps the advisory locks of a session, and loads wait for theirs.
                execute(self._connection, "select pg_advisory_unlock_all()")
        return QueryResult(columns, rows[:ROWS], len(rows) > ROWS, time.monotonic() - started)


@contextmanager
def reader(url: str) -> Generator[Reader]:
    """Open a session of the role that may only read the trips and the models of a database.

    Raises:
        DatabaseUnreachable: the server does not answer, or does not let the role log in.
        DatabaseInterrupted: the server went away.
        DatabaseRefused: the platform's login may not create the role.
    """
    with connect(url) as owner, postgres_errors("the reader's role"):
        trips = [name for each in SERVICES.values() for name in (tables.table_of(each), tables.rejects_of(each))]
        names = [*trips, tables.FILES, tables.qualified(ZONES)]
        readable = [name for (name,) in execute(owner, _READABLE, (MODELS_SCHEMA, names)).fetchall()]
        session = _log_in(owner, url, role_of(owner.info.dbname), readable)
    with session, postgres_errors("the reader's session"):
        session.read_only = True
        execute(session, f"set statement_timeout = '{STATEMENT_SECONDS}s'")
        execute(session, f"set search_path = public, {MODELS_SCHEMA}")
        execute(session, "set standard_conforming_strings = on")  # otherwise '\' could end the wrapping query early
        yield Reader(session, readable)


def role_of(database: str) -> str:
    """Return the name of a database's reader; the databases of a server share their roles, so each has its own."""
    return f"{database}_reader"


def _log_in(owner: Connection, url: str, role: str, readable: Sequence[str]) -> Connection:
    """Create the role unless it exists, let it read these tables, and open a session of it."""
    from psycopg import errors
    from psycopg.conninfo import make_conninfo

    # One at a time: the next session's password overwrites this one's.
    execute(owner, "select pg_advisory_lock(hashtextextended(%s, 0))", (role,))
    password = secrets.token_urlsafe(24)
    hashed = owner.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    try:
        if not execute(owner, "select 1 from pg_roles where rolname = %s", (role,)).fetchone():
            _run(owner, "create role {} nologin noinherit", role)
            if execute(owner, "select has_parameter_privilege('temp_file_limit', 'set')").fetchone() == (True,):
                _run(owner, f"alter role {{}} set temp_file_limit = '{TEMPORARY}'", role)
        for (function,) in execute(owner, _WRITES_LOG, (role,)).fetchall():
            execute(owner, f"revoke execute on function {function} from public")
        _run(owner, "grant connect on database {} to {}", owner.info.dbname, role)
        for (name,) in execute(owner, _NOT_GRANTED, (list(readable), role, role)).fetchall():
            schema, _, table = name.partition(".")
            _run(owner, "grant usage on schema {} to {}", schema, role)
            _run(owner, "grant select on {}.{} to {}", schema, table, role)
        _run(owner, f"alter role {{}} login password '{hashed}'", role)
        return connect(make_conninfo(url, user=role, password=password))
    except errors.InsufficientPrivilege as error:
        user, reason = owner.info.user, str(error).splitlines()[0]
        what = f"{user} may not create it, and a model's statement is run by no other role ({reason})"
        advice = f"Let a superuser run: alter role {user} createrole;"
        raise DatabaseRefused(f"the role {role}", what, advice) from None
    finally:
        with suppress(errors.InsufficientPrivilege, errors.UndefinedObject):
            _run(owner, "alter role {} nologin password null", role)


def _run(owner: Connection, statement: str, *names: str) -> None:
    """Run one of the statements above, with these names instead of its braces."""
    from psycopg import sql

    execute(owner, statement.format(*(sql.Identifier(name).as_string(owner) for name in names)))
