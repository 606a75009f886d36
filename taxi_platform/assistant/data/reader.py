"""Who runs a model's statement: a role of its own that may read the trips and the models, and nothing else.

The role may log in only while a session of ours begins, with a password that serves this one time: so there is no
password to be kept, and nobody else can use the role. Where the login may not create roles, a READ ONLY transaction of
the login's own stands in, and says so.
"""

import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxi_platform.assistant.data.statement import SCHEMAS
from taxi_platform.errors import DatabaseUnreachable
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.errors import postgres_errors
from taxi_platform.trips.services import SERVICES
from taxi_platform.trips.zones import TABLE as ZONES

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

STATEMENT_SECONDS = (
    30  # the largest table is counted in ten; beyond that a question is too large to be asked in passing
)
TEMPORARY = "1GB"  # of files that one statement's sorting may fill
_LONGEST_NAME = 63  # bytes of a PostgreSQL name
_MODELS = "analytics"

_READABLE = """
select n.nspname || '.' || c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm') and (n.nspname = %s or n.nspname || '.' || c.relname = any(%s)) order by 1"""
_GRANTED = "select has_schema_privilege(%s, %s, 'usage') and has_table_privilege(%s, %s, 'select')"


@dataclass(frozen=True)
class Reader:
    """A session that only reads.

    Attributes:
        connection: the session.
        role: as whom it reads.
        tables: what it may read, each with its schema.
        remark: why this is not the role of its own, if it is not.
    """

    connection: "Connection"
    role: str
    tables: Sequence[str]
    remark: str = ""


@contextmanager
def reader(url: str) -> Generator[Reader]:
    """A session whose transactions are READ ONLY and have a time limit, as the role that may only read if that can be.

    Args:
        url: the login of the platform, whose tables are read.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    with connect(url) as owner, postgres_errors("the reader's role"):
        readable = _readable(owner)
        role = role_of(owner.info.dbname)
        session, remark = _log_in(owner, url, role, readable)
    with session, postgres_errors("the reader's session"):
        session.read_only = True
        execute(session, f"set statement_timeout = '{STATEMENT_SECONDS}s'")
        execute(session, f"set search_path = {', '.join(SCHEMAS)}")
        yield Reader(session, session.info.user, readable, remark)


def role_of(database: str) -> str:
    """The role that may read a database: one for each, for a server's roles are common to all its databases."""
    return database.encode()[: _LONGEST_NAME - len("_reader")].decode(errors="ignore") + "_reader"


def _readable(owner: "Connection") -> list[str]:
    """The tables of trips, of files and of zones, those of rejects, and every model, as far as they are there."""
    trips = [name for one in SERVICES.values() for name in (tables.table_of(one), tables.rejects_of(one))]
    names = [*trips, tables.FILES, tables.qualified(ZONES)]
    return [name for (name,) in execute(owner, _READABLE, (_MODELS, names)).fetchall()]


def _log_in(owner: "Connection", url: str, role: str, readable: Sequence[str]) -> "tuple[Connection, str]":
    """A session of the role, or of the login itself and why."""
    from psycopg import errors

    # One at a time: the password of this session would be overwritten by the next one's.
    execute(owner, "select pg_advisory_lock(hashtextextended(%s, 0))", (role,))
    password = secrets.token_urlsafe(24)
    try:
        _prepare(owner, role, readable, password)
        return connect(_address(url, role, password)), ""
    except errors.InsufficientPrivilege as error:
        said = str(error).splitlines()[0]
        return connect(url), (
            f"PostgreSQL lets {owner.info.user} make no role that may only read ({said}), so this is a READ ONLY "
            f"transaction of {owner.info.user}. A superuser mends that: alter role {owner.info.user} createrole;"
        )
    except DatabaseUnreachable as error:
        return connect(url), f"The role {role} cannot log in ({error.what}), so this is a READ ONLY transaction."
    finally:
        with suppress(errors.InsufficientPrivilege, errors.UndefinedObject):
            _run(owner, "alter role {} nologin password null", role)


def _prepare(owner: "Connection", role: str, readable: Sequence[str], password: str) -> None:
    """Have the role, with the right to read these tables and no other."""
    from psycopg import sql

    if not execute(owner, "select 1 from pg_roles where rolname = %s", (role,)).fetchone():
        _run(owner, "create role {} nologin noinherit", role)
        _run(owner, "alter role {} set default_transaction_read_only = on", role)
        _run(owner, f"alter role {{}} set statement_timeout = '{STATEMENT_SECONDS}s'", role)
        if execute(owner, "select has_parameter_privilege('temp_file_limit', 'set')").fetchone() == (True,):
            _run(owner, f"alter role {{}} set temp_file_limit = '{TEMPORARY}'", role)
    database = owner.info.dbname
    if execute(owner, "select has_database_privilege(%s, %s, 'connect')", (role, database)).fetchone() == (False,):
        _run(owner, "grant connect on database {} to {}", database, role)
    for name in readable:
        schema, _, table = name.partition(".")
        if execute(owner, _GRANTED, (role, schema, role, name)).fetchone() == (False,):
            _run(owner, "grant usage on schema {} to {}", schema, role)
            _run(owner, "grant select on {}.{} to {}", schema, table, role)
    hashed = owner.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    owner.execute(sql.SQL("alter role {} login password {}").format(sql.Identifier(role), sql.Literal(hashed)))


def _run(owner: "Connection", statement: str, *names: str) -> None:
    """Run one of the statements above, with these names in place of its braces."""
    from psycopg import sql

    quoted = [sql.Identifier(name).as_string(owner) for name in names]
    execute(owner, statement.format(*quoted))


def _address(url: str, role: str, password: str) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(url, user=role, password=password)
