"""The names of the tables of trips and the SQL that defines them, derived from the contracts. Nothing is run here.

A service's table is partitioned by list of ``filename``, so that a row belongs to its file's month, wherever its
pickup lies. The name ``<partition>_loading`` belongs to a month that is being loaded and is not attached yet.
"""

import hashlib
from collections.abc import Mapping

from taxi_platform.trips.columns import Column
from taxi_platform.trips.headers import ADDED
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

SCHEMA = "public"
FILES = f"{SCHEMA}.tripdata_files"


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
    kind = "virtual" if server_version >= 180_000 else "stored"
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
    return [*parts, f"it has {', '.join(surplus)} instead or as well"] if surplus else parts


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


UNTOUCHED = """exists (
    select from pg_class as c join pg_inherits as i on i.inhrelid = c.oid and i.inhparent = to_regclass(f.table_name)
    where c.oid = to_regclass(f.partition_name) and f.filenode = pg_relation_filenode(c.oid)
)"""
"""The condition that a row ``f`` of ``tripdata_files`` is still true: its partition is attached and is the one
that was swapped in. A partition that somebody dropped, detached, truncated or rewrote has another filenode, or none."""


def summary(service: Service, month: Month) -> str:
    """Return the query for a month's rows, its amounts in cents, its pickups in seconds, and the parts of its ids."""
    parts = ", ".join(
        f"coalesce(sum(('x' || substr(unique_row_id, {first}, 8))::bit(32)::bigint), 0)" for first in (1, 9, 17, 25)
    )
    paid = service.has("total_amount")
    cents = "coalesce(round(sum(total_amount::numeric) * 100), 0)" if paid else "0"
    pickups = f"coalesce(sum(floor(extract(epoch from {service.pickup}))), 0)"
    return f"select count(*), {cents}, {pickups}, {parts} from {partition_of(service, month)}"


SHORT_LOCK_TIMEOUT = "set local lock_timeout = '2s'"

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
YOUNGER_COLUMNS = {"parser": "integer", "counted_at": "timestamptz", "refused": "text", "ignored": "text"}
ADD_COLUMNS = f"alter table {FILES} " + ", ".join(
    f"add column if not exists {name} {kind}" for name, kind in YOUNGER_COLUMNS.items()
)


def literal(text: str) -> str:
    """Return a text as an SQL string constant."""
    return "'" + text.replace("'", "''") + "'"
