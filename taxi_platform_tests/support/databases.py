"""A database for each test on the session's server."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql


@contextmanager
def database_from(server: str, template: str) -> Iterator[str]:
    """Create a database from a template, yield its URL, and drop it at the end."""
    with psycopg.connect(server, autocommit=True) as connection:
        name = _create(connection, template)
        yield _url(server, name)
        connection.execute(f"drop database {name} with (force)".encode())


def _create(connection: psycopg.Connection, template: str) -> str:
    name = f"test_{uuid4().hex}"
    # Half the time of the default strategy, which writes the copy to the log.
    connection.execute(f"create database {name} template {template} strategy file_copy".encode())
    return name


def _url(server: str, name: str) -> str:
    return urlsplit(server)._replace(path=f"/{name}").geturl()


# All that a test could leave in its database, besides rows.
_OBJECTS = """
select 'database', '', datdba::text, concat_ws('|', datacl, datallowconn, datconnlimit, dattablespace)
  from pg_database where datname = current_database()
union all select 'setting', '', setrole::text, setconfig::text from pg_db_role_setting
  where setdatabase = (select oid from pg_database where datname = current_database())
union all select 'schema', nspname, nspowner::text, nspacl::text from pg_namespace where nspname !~ '^pg_'
union all select 'relation', oid::text, relowner::text, concat_ws('|', relname, relacl) from pg_class
  where relnamespace = 'public'::regnamespace
union all select 'function', oid::text, '', '' from pg_proc where oid >= 16384
union all select 'type', oid::text, '', '' from pg_type where oid >= 16384
union all select 'rights', oid::text, '', '' from pg_default_acl
union all select 'extension', extname, '', '' from pg_extension
union all select 'trigger', evtname, '', '' from pg_event_trigger
union all select 'publication', pubname, '', '' from pg_publication
union all select 'large object', oid::text, '', '' from pg_largeobject_metadata
order by 1, 2, 3, 4
"""
_SCHEMAS = (
    "select nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')"
)
_RELATIONS = """
select case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
  relname from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S') and not relispartition
  and relname <> all(%s)
order by relkind = 'S'
"""


class Databases:
    """Databases from one template, each emptied after its test and used again by another one under another name.

    Creating a database takes a tenth of a second of processor time; emptying one takes a tenth of that. A database in
    which a test leaves anything besides rows and tables is dropped.
    """

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._connection = psycopg.connect(server, autocommit=True)
        self._free: list[str] = []
        self._kept: list[str] = []  # the template's relations
        self._filled: list[str] = []  # the template's tables that are not empty
        self._remains: list[Any] = []

    def close(self) -> None:
        """Drop the databases."""
        for name in self._free:
            self._drop(name)
        self._connection.close()

    @contextmanager
    def one(self) -> Iterator[str]:
        """Yield a database that equals the template."""
        name = self._free.pop() if self._free else _create(self._connection, self._template)
        url = _url(self._server, name)
        if not self._remains:
            with psycopg.connect(url, autocommit=True) as connection:
                self._kept = [name for _, name in connection.execute(_RELATIONS, ([""],))]
                self._filled = self._not_empty(connection)
                self._remains = self._objects(connection)
        try:
            yield url
        finally:
            self._connection.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", (name,)
            )
            if self._is_as_before(url):
                free = f"test_{uuid4().hex}"
                self._connection.execute(f"alter database {name} rename to {free}".encode())
                self._free.append(free)
            else:
                self._drop(name)

    def _is_as_before(self, url: str) -> bool:
        """Empty the database, and return whether it then equals the template."""
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                for (schema,) in connection.execute(_SCHEMAS).fetchall():
                    connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
                for kind, name in connection.execute(_RELATIONS, (self._kept,)).fetchall():
                    drop = f"drop {kind} if exists public.{{}} cascade"
                    connection.execute(sql.SQL(drop).format(sql.Identifier(name)))  # pyright: ignore
                if used := [name for name in self._not_empty(connection) if name not in self._filled]:
                    connection.execute(f"truncate {', '.join(used)} restart identity".encode())
                return self._objects(connection) == self._remains
        except psycopg.Error:
            return False

    def _not_empty(self, connection: psycopg.Connection) -> list[str]:
        tables = "select relname from pg_class where relkind = 'r' and relname = any(%s)"
        queries = [
            f"select '{name}' where exists (select from {name})"
            for (name,) in connection.execute(tables, (self._kept,)).fetchall()
        ]
        return [name for (name,) in connection.execute(" union all ".join(queries).encode())] if queries else []

    def _objects(self, connection: psycopg.Connection) -> list[Any]:
        rows = [connection.execute(f"select * from {name} order by 1".encode()).fetchall() for name in self._filled]
        return [connection.execute(_OBJECTS).fetchall(), rows]

    def _drop(self, name: str) -> None:
        self._connection.execute(f"drop database {name} with (force)".encode())
