"""The SQL text that makes, fills and swaps the tables of trips, derived from the contracts. Pure: nothing is run here.

A service's table is partitioned by list of ``filename``, so that a row belongs to its file's month, wherever its
pickup lies. The name ``<partition>_loading`` belongs to a month that is being loaded and is not attached yet.
"""

import hashlib
from collections.abc import Iterable, Mapping

from taxi_platform.trips.columns import Column
from taxi_platform.trips.headers import ADDED
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service, column_comments

SCHEMA = "public"
FILES = f"{SCHEMA}.tripdata_files"
VIRTUAL_COLUMNS_SINCE = 180_000  # PostgreSQL 18, as server_version counts


def qualified(table: str) -> str:
    """Return a table's name with its schema."""
    return f"{SCHEMA}.{table}"


def table_of(service: Service) -> str:
    """Return the service's partitioned table, e.g. ``public.green_tripdata``."""
    return qualified(service.table)


def partition_of(service: Service, month: Month) -> str:
    """Return the table of one month, e.g. ``public.green_tripdata_2019_03``."""
    return qualified(service.partition_table(month))


def loading_of(service: Service, month: Month) -> str:
    """Return the table of one month while it is being loaded, e.g. ``public.green_tripdata_2019_03_loading``."""
    return partition_of(service, month) + "_loading"


def rejects_of(service: Service) -> str:
    """Return the table of the service's bad rows, e.g. ``public.green_tripdata_rejects``."""
    return f"{table_of(service)}_rejects"


def unique_row_id(service: Service) -> str:
    """Return the course's md5 as an expression of immutable functions, as a generated column needs.

    The cast of a timestamp to text depends on session settings and is refused there, so its ISO form is spelled out.
    """
    parts = " || ".join(_as_text(service.column(name)) for name in service.identity)
    return f"md5({parts})"


def _as_text(column: Column) -> str:
    name = column.name
    spelled = {"text": name, "timestamp": _timestamp_as_text(name)}.get(column.postgres, f"{name}::text")
    return f"coalesce({spelled}, '')"


def _timestamp_as_text(name: str) -> str:
    def part(field: str) -> str:
        return f"lpad(extract({field} from {name})::int::text, 2, '0')"

    year = f"extract(year from {name})::int::text"
    second = f"extract(second from {name})"
    return (
        f"case when isfinite({name}) then "
        f"lpad({year}, greatest(4, length({year})), '0') || '-' || {part('month')} || '-' || {part('day')} || ' ' || "
        f"{part('hour')} || ':' || {part('minute')} || ':' || "
        f"lpad(trunc({second})::int::text, 2, '0') || "
        f"rtrim(rtrim(substr(({second} % 1)::text, 2), '0'), '.') "
        f"when {name} > timestamp '2000-01-01' then 'infinity' else '-infinity' end"
    )


CREATE_FILES = f"""
create table if not exists {FILES} (
    filename text primary key,
    table_name text not null,
    partition_name text not null,
    source text not null,
    sha256 text not null,
    file_bytes bigint not null,
    csv_bytes bigint not null,
    rows_in_file bigint not null,
    rows_loaded bigint not null,
    rows_rejected bigint not null check (rows_in_file = rows_loaded + rows_rejected),
    contract text not null,
    filenode oid not null,
    loaded_at timestamptz not null default now()
)"""
"""The statement that creates the table of load records: one row for each loaded month. ``ADD_COLUMNS`` completes it."""


def create_table(service: Service, server_version: int) -> str:
    """Return the statement that creates a service's partitioned table."""
    kind = "virtual" if server_version >= VIRTUAL_COLUMNS_SINCE else "stored"
    columns = ",\n    ".join(f"{column.name} {column.postgres}" for column in service.columns)
    return f"""
create table {table_of(service)} (
    unique_row_id text generated always as ({unique_row_id(service)}) {kind},
    filename text not null,
    {columns}
) partition by list (filename)"""


def create_rejects(service: Service) -> list[str]:
    """Return the statements that create a service's table of bad rows if it does not exist."""
    table = f"""
create table if not exists {rejects_of(service)} (
    filename text not null,
    line bigint not null,
    text text not null,
    reason text not null
)"""
    comment = f"Rows of {service.name} files that are not trips: their file and line, and why they were rejected."
    # Without a key, PostgreSQL refuses to delete from a table that is published (create publication … for all tables).
    identity = f"alter table {rejects_of(service)} replica identity full"
    return [table, identity, f"comment on table {rejects_of(service)} is {literal(comment)}"]


def column_types(service: Service) -> dict[str, str]:
    """Return every column of the table in order, with its type as ``format_type`` spells it."""
    types = {"unique_row_id": "text", "filename": "text"}
    for column in service.columns:
        types[column.name] = "timestamp without time zone" if column.postgres == "timestamp" else column.postgres
    return types


def differences(service: Service, found: Mapping[str, str]) -> list[str]:
    """Return how a table's columns differ from the contract's; columns that came later may be absent."""
    expected = column_types(service)
    later = {column.name for column in service.columns if column not in service.first_columns}
    lacking = [f"{name} {kind}" for name, kind in expected.items() if name not in found and name not in later]
    surplus = [f"{name} {kind}" for name, kind in found.items() if expected.get(name) != kind]
    parts = [f"it lacks {', '.join(lacking)}"] if lacking else []
    return [*parts, f"it has {', '.join(surplus)} instead or besides"] if surplus else parts


def add_columns(service: Service, columns: Iterable[Column]) -> list[str]:
    """Return the statements that add columns to the table and its partitions, where loaded rows have NULL."""
    table = table_of(service)
    return [
        statement
        for column in columns
        for statement in (
            f'alter table {table} add column if not exists "{column.name}" {column.postgres}',
            f'comment on column {table}."{column.name}" is {literal(column.documentation)}',
        )
    ]


def comments(service: Service) -> list[str]:
    """Return the statements that comment on the table and its columns."""
    table = table_of(service)
    return [
        f"comment on table {table} is {literal(service.description)}",
        *(f"comment on column {table}.{name} is {literal(text)}" for name, text in column_comments(service).items()),
    ]


def fingerprint(service: Service) -> str:
    """Return a short hash of what decides a row's values: if it changes, months are loaded again."""
    text = repr([(column.name, column.postgres, column.is_code) for column in service.first_columns])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def create_loading(service: Service, month: Month) -> str:
    """Return the statement that creates a month's table; its CHECK lets it be attached without a scan.

    CHECK constraints that somebody added to the service's table are taken over, because a partition must have them.
    """
    name = literal(service.file_name(month))
    return f"""
create table {loading_of(service, month)} (
    like {table_of(service)} including generated including comments including constraints,
    constraint file_month check (filename is not null and filename = {name})
);
alter table {loading_of(service, month)} alter column filename set default {name}"""


def indexes_of(service: Service, month: Month) -> str:
    """Return the query for statements that give the loaded table the indexes of the service's table.

    Nobody waits while they are built; the swap would build missing ones while it keeps readers out. The loaded table
    also gets the columns that another load has added to the service's table meanwhile.
    """
    table = loading_of(service, month)
    return f"""
select format('alter table {table} add column %I %s', attname, format_type(atttypid, atttypmod))
from pg_attribute where attrelid = to_regclass({literal(table_of(service))}) and attnum > 0 and not attisdropped
and attname not in (
    select attname from pg_attribute where attrelid = to_regclass({literal(table)}) and not attisdropped
)
union all
select case when c.oid is not null then 'alter table {table} add ' || pg_get_constraintdef(c.oid)
    else 'create ' || case when i.indisunique then 'unique ' else '' end || 'index on {table}'
        || substring(pg_get_indexdef(i.indexrelid) from ' USING .*') end
from pg_index as i left join pg_constraint as c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
where i.indrelid = to_regclass({literal(table_of(service))})"""


def copy_into_loading(service: Service, month: Month, columns: Iterable[Column], form: str = "csv") -> str:
    """Return the COPY statement for rows of these columns, in this order: CSV lines without a header, or binary."""
    names = ", ".join(f'"{column.name}"' for column in columns)
    return f"copy {loading_of(service, month)} ({names}) from stdin (format {form})"


def detach_and_drop(service: Service, month: Month) -> list[str]:
    """Return the statements that detach a month from the table and drop it."""
    partition = partition_of(service, month)
    return [f"alter table {table_of(service)} detach partition {partition}", f"drop table {partition}"]


def attach(service: Service, month: Month) -> list[str]:
    """Return the statements that attach the loaded table as the month's partition."""
    partition = service.partition_table(month)
    return [
        f"alter table {loading_of(service, month)} rename to {partition}",
        f"alter table {table_of(service)} attach partition {qualified(partition)} "
        f"for values in ({literal(service.file_name(month))})",
    ]


def create_rejected(service: Service, month: Month) -> str:
    """Return the statements for the session's own table of a month's bad rows, from which the swap takes them."""
    return f"""
create temporary table if not exists pg_temp.rejected (like {rejects_of(service)});
alter table pg_temp.rejected alter column filename set default {literal(service.file_name(month))};
truncate pg_temp.rejected"""


COPY_REJECTED = "copy pg_temp.rejected (line, text, reason) from stdin (format csv)"


def replace_rejects(service: Service) -> str:
    """Return the statements that replace the rejects of one file; the parameter is its name."""
    table = rejects_of(service)
    return f"""
with gone as (delete from {table} where filename = %s)
insert into {table} select * from pg_temp.rejected"""


UNTOUCHED = """exists (
    select from pg_class as c join pg_inherits as i on i.inhrelid = c.oid and i.inhparent = to_regclass(f.table_name)
    where c.oid = to_regclass(f.partition_name) and f.filenode = pg_relation_filenode(c.oid)
)"""
"""The condition that a row ``f`` of ``tripdata_files`` is still true: its partition is attached and is the one
that was swapped in. A partition that somebody dropped, detached, truncated or rewrote has another filenode, or none."""

UNCOUNTED = f"""
select f.filename, to_regclass(f.partition_name)::text, n.rewritten
from {FILES} as f
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
where (%(names)s::text[] is null or f.filename = any(%(names)s)) and {UNTOUCHED} and (
    n.rewritten > 0
    or n.inserted <> f.rows_loaded and (n.inserted > 0 or reset.at > coalesce(n.counted_at, '-infinity'))
)"""
"""The query for months that the server's counters do not show to be as they were loaded: the file, the partition, and
how many rows were updated or deleted. Counters begin at 0 after a crash (``reset``) and stay 0 while nobody writes, so
a month that was counted since then need not be counted again."""


def has_recorded_rows(partition: str) -> str:
    """Return the query for whether a month has as many rows as its record says, in one snapshot of both."""
    return f"""
select f.rows_loaded = (select count(*) from {partition}) from {FILES} as f
where f.filename = %s and to_regclass(f.partition_name) = {literal(partition)}::regclass"""


REMEMBER_COUNTED = f"update {FILES} set counted_at = %s where filename = any(%s)"

FIND_MONTH = f"""
select f.rows_loaded, f.rows_rejected, f.ignored from {FILES} as f
where f.filename = %s and f.sha256 = %s and f.contract = %s and f.refused is null and {UNTOUCHED}"""
"""The query for the rows loaded and rejected, and the columns ignored, of a month that is in its table from this very
file."""

SOURCE_OF_MONTH = f"select f.source from {FILES} as f where f.filename = %s"

_RECORDED = (
    *("filename", "table_name", "partition_name", "source", "sha256", "file_bytes", "csv_bytes"),
    *("rows_in_file", "rows_loaded", "rows_rejected", "contract", "parser", "ignored"),
)
RECORD_MONTH = f"""
insert into {FILES} ({", ".join(_RECORDED)}, filenode)
values ({", ".join(f"%({name})s" for name in _RECORDED)}, pg_relation_filenode(%(partition_name)s::text::regclass))
on conflict (filename) do update set
    {", ".join(f"{name} = excluded.{name}" for name in (*_RECORDED, "filenode"))},
    loaded_at = now(), counted_at = null, refused = null"""


def summary(service: Service, month: Month) -> str:
    """Return the query for a month's rows, its amounts in cents, its pickups in seconds, and the parts of its ids."""
    parts = ", ".join(
        f"coalesce(sum(('x' || substr(unique_row_id, {first}, 8))::bit(32)::bigint), 0)" for first in (1, 9, 17, 25)
    )
    paid = service.has("total_amount")
    cents = "coalesce(round(sum(total_amount::numeric) * 100), 0)" if paid else "0"
    pickups = f"coalesce(sum(floor(extract(epoch from {service.pickup}))), 0)"
    return f"select count(*), {cents}, {pickups}, {parts} from {partition_of(service, month)}"


ROWS_IN_TABLE = f"select coalesce(sum(rows_loaded), 0)::bigint from {FILES} where table_name = %s"

SHORT_LOCK_TIMEOUT = "set local lock_timeout = '2s'"

# Our own sessions read with snapshots that live as long as one statement, or write months that nobody reads yet.
OLDER_SNAPSHOT = """
select pid, usename, xact_start from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
and backend_xmin is not null and xact_start < %s and application_name <> 'taxi_platform'
limit 1"""

COLUMN_TYPES = f"""
select attname, format_type(atttypid, atttypmod) from pg_attribute as a
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped and not exists (
    select from pg_attribute as t
    where t.attrelid = coalesce((select inhparent from pg_inherits where inhrelid = a.attrelid), a.attrelid)
        and t.attname = a.attname and starts_with(col_description(t.attrelid, t.attnum), '{ADDED}')
)
order by attnum"""
"""The query for the columns of a table or partition with their types, without those that came from a file."""

# Columns that are younger than the table. Version 0.1 recorded no parser: NULL counts as parser 1.
_YOUNGER = {"parser": "integer", "counted_at": "timestamptz", "refused": "text", "ignored": "text"}
ADD_COLUMNS = f"alter table {FILES} " + ", ".join(
    f"add column if not exists {name} {kind}" for name, kind in _YOUNGER.items()
)

COMPANIONS_EXIST = f"""
select exists (select from pg_class where oid = to_regclass(%s) and relreplident <> 'd') and {len(_YOUNGER)} = (
    select count(*) from pg_attribute
    where attrelid = to_regclass('{FILES}') and not attisdropped and attname in {tuple(_YOUNGER)}
)"""

COLUMN_COMMENTS = """
select attname, coalesce(col_description(attrelid, attnum), '') from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum"""

LOADING_TABLES = f"select relname from pg_class where relnamespace = '{SCHEMA}'::regnamespace and relname ~ %s"


def literal(text: str) -> str:
    """Return a text as an SQL string constant."""
    return "'" + text.replace("'", "''") + "'"
