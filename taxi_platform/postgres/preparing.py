"""Prepares tables for a load: creates and comments them, removes what killed loads left, finds changes by hand.

The load itself is in ``loader``.
"""

import logging
from collections.abc import Collection, Iterable

from taxi_platform.errors import SchemaMismatch, UnsupportedServer
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, execute
from taxi_platform.postgres.locking import try_lock, unlock, when_readers_allow
from taxi_platform.trips.columns import Column
from taxi_platform.trips.headers import ADDED
from taxi_platform.trips.services import Service, column_comments

logger = logging.getLogger(__name__)

_COMPANIONS_EXIST = f"""
select exists (select from pg_class where oid = to_regclass(%s) and relreplident <> 'd')
and {len(tables.YOUNGER_COLUMNS)} = (
    select count(*) from pg_attribute
    where attrelid = to_regclass('{tables.FILES}') and not attisdropped and attname in {tuple(tables.YOUNGER_COLUMNS)}
)"""

_COLUMN_COMMENTS = """
select attname, coalesce(col_description(attrelid, attnum), '') from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum"""

_LOADING_TABLES = f"select relname from pg_class where relnamespace = '{tables.SCHEMA}'::regnamespace and relname ~ %s"

# The months that may have changed since they were loaded, by the server's counters: the file, the partition, and how
# many rows were updated or deleted. Counters begin at 0 after a crash (``reset``) and stay 0 while nobody writes, so a
# month whose rows were counted after the crash need not be counted again.
_UNCOUNTED = f"""
select f.filename, to_regclass(f.partition_name)::text, n.rewritten
from {tables.FILES} as f
cross join lateral (
    select pg_stat_get_tuples_inserted(to_regclass(f.partition_name)) as inserted,
        pg_stat_get_tuples_updated(to_regclass(f.partition_name))
        + pg_stat_get_tuples_deleted(to_regclass(f.partition_name)) as rewritten,
        (to_jsonb(f) ->> 'counted_at')::timestamptz as counted_at  -- the column is younger than the table
) as n
cross join (
    select greatest(pg_stat_get_db_stat_reset_time(d.oid), b.stats_reset) as at
    from pg_database as d, pg_stat_bgwriter as b where d.datname = current_database()
) as reset
where (%(names)s::text[] is null or f.filename = any(%(names)s)) and {tables.UNTOUCHED} and (
    n.rewritten > 0
    or n.inserted <> f.rows_loaded and (n.inserted > 0 or reset.at > coalesce(n.counted_at, '-infinity'))
)"""


def prepare(connection: Connection, service: Service) -> None:
    """Create the service's tables or columns if they are missing, renew comments, and drop what killed loads left.

    Raises:
        SchemaMismatch: a table of that name exists that was not made here.
        UnsupportedServer: the database's encoding is not UTF-8.
    """
    check_encoding(connection)
    companions = execute(connection, _COMPANIONS_EXIST, (tables.rejects_of(service),)).fetchone()
    if not _is_ours(connection, service) or companions != (True,):  # somebody may have dropped them
        _create(connection, service)
    add_columns(connection, service, service.columns)
    comments = column_comments(service)
    if not comments.items() <= _comments(connection, service).items():
        table = tables.table_of(service)
        execute(connection, f"comment on table {table} is {tables.literal(service.description)}")
        for name, text in comments.items():
            execute(connection, f"comment on column {table}.{name} is {tables.literal(text)}")
    _drop_leftovers(connection, service)


def add_columns(connection: Connection, service: Service, columns: Iterable[Column]) -> None:
    """Add the columns that the service's table lacks; its rows get NULL and are neither read nor written."""
    table, existing = tables.table_of(service), _comments(connection, service)
    # Columns that were added as text, for a file, and that the contract now has with another type, are renamed.
    numbers = [column for column in columns if column.postgres != "text"]
    renamed = {column.name for column in numbers if existing.get(column.name, "").startswith(ADDED)}
    lacking = [column for column in columns if column.name not in existing or column.name in renamed]
    if not lacking:
        return

    def add() -> None:
        with connection.transaction():
            execute(connection, tables.SHORT_LOCK_TIMEOUT)
            for name in renamed:
                execute(connection, f'alter table {table} rename column "{name}" to "{name}_as_text"')
            for column in lacking:
                execute(connection, f'alter table {table} add column if not exists "{column.name}" {column.postgres}')
                meaning = tables.literal(column.documentation)
                execute(connection, f'comment on column {table}."{column.name}" is {meaning}')

    when_readers_allow(add, table)
    logger.info(f"{table}: got the columns {', '.join(column.name for column in lacking)}")


def check_encoding(connection: Connection) -> None:
    """Refuse an encoding in which row ids would be the md5 of other bytes, and some texts cannot be stored."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in ("UTF8", "SQL_ASCII"):  # the latter stores the bytes as they come
        raise UnsupportedServer(
            f"database {connection.info.dbname!r}",
            f"its encoding is {encoding}",
            "Use a database with UTF-8: create database … encoding 'UTF8' template template0.",
        )


def _is_ours(connection: Connection, service: Service) -> bool:
    """Return whether the table exists; raise ``SchemaMismatch`` if it is not as the contract describes it."""
    table = tables.table_of(service)
    row = execute(connection, "select relkind from pg_class where oid = to_regclass(%s)", (table,)).fetchone()
    if row is None:
        return False
    found = dict(execute(connection, tables.COLUMN_TYPES, (table,)).fetchall())
    differences = tables.differences(service, found)
    if row[0] != "p" or differences:
        what = f"its columns differ: {'; '.join(differences)}" if row[0] == "p" else "it is not partitioned by file"
        if row[0] == "p" and "unique_row_id" in found:  # ours; renamed, it would keep its partitions and their names
            advice = "Undo the change with ALTER TABLE, or drop the table and load its months again."
            raise SchemaMismatch(f"table {table}", f"it is not as this platform made it ({what})", advice)
        raise SchemaMismatch(
            f"table {table}",
            f"it exists and was not made by this platform ({what})",
            f"Rename it (alter table {table} rename to {service.table}_old) or use another database.",
        )
    return True


def _create(connection: Connection, service: Service) -> None:
    """Create the tables, one process at a time: ``if not exists`` alone fails when two come at once."""
    with connection.transaction():
        execute(connection, "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (tables.FILES,))
        execute(connection, tables.CREATE_FILES)
        execute(connection, tables.ADD_COLUMNS)
        if not _is_ours(connection, service):
            execute(connection, tables.create_table(service, connection.info.server_version))
        for statement in tables.create_rejects(service):
            execute(connection, statement)


def _comments(connection: Connection, service: Service) -> dict[str, str]:
    return dict(execute(connection, _COLUMN_COMMENTS, (tables.table_of(service),)).fetchall())


def _drop_leftovers(connection: Connection, service: Service) -> None:
    """Drop the loading tables of months that nobody is loading: their lock is free because their process is gone.

    A leftover that somebody is reading, such as pg_dump, is left for the next load.
    """
    from psycopg.errors import LockNotAvailable

    leftovers = execute(connection, _LOADING_TABLES, (f"^{service.table}_\\d{{4}}_\\d{{2}}_loading$",)).fetchall()
    for (name,) in leftovers:
        partition = tables.qualified(name.removesuffix("_loading"))
        if try_lock(connection, partition):
            try:
                with connection.transaction():
                    execute(connection, tables.SHORT_LOCK_TIMEOUT)
                    execute(connection, f"drop table if exists {tables.qualified(name)}")
            except LockNotAvailable:
                logger.info(f"{name}: left by a load that broke off, and being read; the next load will drop it")
            finally:
                unlock(connection, partition)


def months_changed_by_hand(connection: Connection, names: Collection[str] | None = None) -> set[str]:
    """Return the files of loaded months whose rows were inserted, updated or deleted since.

    PostgreSQL counts the rows that are written to a table. Only where these counters do not answer, because a crash
    has reset them or an insert may have been rolled back, the rows themselves are counted, once. A rolled back update
    or delete counts as a change; loading the month again does no harm. Counters of sessions that are still open may
    come some seconds late. ``names`` are the files in question; None means all of them.
    """
    from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction, UndefinedColumn

    (now,) = execute(connection, "select clock_timestamp()").fetchall()[0]
    changed: set[str] = set()
    counted: list[str] = []
    values = {"names": None if names is None else list(names)}
    for name, partition, rewritten in execute(connection, _UNCOUNTED, values).fetchall():
        # Both in one snapshot, and only while the partition is the one that was found.
        has_recorded_rows = f"""
            select f.rows_loaded = (select count(*) from {partition}) from {tables.FILES} as f
            where f.filename = %s and to_regclass(f.partition_name) = {tables.literal(partition)}::regclass"""
        same = not rewritten and execute(connection, has_recorded_rows, (name,)).fetchone()
        if rewritten or same == (False,):
            changed.add(name)
        else:
            counted.append(name)
    if counted:
        try:
            with connection.transaction():
                remember = f"update {tables.FILES} set counted_at = %s where filename = any(%s)"
                execute(connection, remember, (now, counted))
        except (InsufficientPrivilege, ReadOnlySqlTransaction, UndefinedColumn) as error:  # this user only reads
            logger.debug(f"{tables.FILES}: counted months are not recorded ({error})")
    return changed
