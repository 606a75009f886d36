"""Checks the months that an older parser loaded, once, for values that today's parser refuses or reads differently.

A table shows only some of them: a time zone that was dropped, a date without a time, 24:00 and a hexadecimal number
were stored as ordinary values.
"""

import logging

from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, execute
from taxi_platform.trips.columns import Column
from taxi_platform.trips.records import PARSER, TOO_LARGE
from taxi_platform.trips.services import SERVICES, Service

logger = logging.getLogger(__name__)

# Only the owner of the table may add columns to it.
_MAY_RECORD = f"""
select pg_has_role(c.relowner, 'usage') and not current_setting('transaction_read_only')::boolean
from pg_class as c where c.oid = to_regclass('{tables.FILES}')"""

_UNCHECKED = f"""
select f.filename, f.table_name, f.partition_name, f.loaded_at from {tables.FILES} as f
where coalesce((to_jsonb(f) ->> 'parser')::integer, 1) < %s and to_jsonb(f) ->> 'refused' is null and {tables.UNTOUCHED}
order by f.filename"""

_RECORD = f"""
update {tables.FILES} set parser = case when %(refused)s::text is null then %(parser)s else parser end,
    refused = %(refused)s
where filename = %(name)s and loaded_at = %(loaded_at)s"""


def check_older_months(connection: Connection) -> None:
    """Check the months that an older parser loaded, and record the outcome in ``tripdata_files``.

    A month without such values counts as loaded by today's parser; for any other, the columns in question are recorded.
    A user who cannot record the outcome checks nothing.
    """
    months = execute(connection, _UNCHECKED, (PARSER,)).fetchall()
    if not months or execute(connection, _MAY_RECORD).fetchone() != (True,):
        return
    execute(connection, tables.ADD_COLUMNS)
    logger.info("Checking %d months that an older version loaded. This happens once.", len(months))
    services = {tables.table_of(service): service for service in SERVICES.values()}
    for name, table, partition, loaded_at in months:
        if table not in services:
            continue
        row = execute(connection, refused_columns(services[table], partition), {"loaded_at": loaded_at}).fetchone()
        values = {"refused": row and row[0], "parser": PARSER, "name": name, "loaded_at": loaded_at}
        execute(connection, _RECORD, values)


def refused_columns(service: Service, partition: str) -> str:
    """Return the query for the columns with such values, as one text or NULL; its parameter is the time of the load."""
    conditions = {column.name: condition for column in service.first_columns if (condition := _condition(column))}
    flagged = ", ".join(f"case when bool_or({condition}) then '{name}' end" for name, condition in conditions.items())
    return f"select nullif(concat_ws(', ', {flagged}), '') from {partition}"


def _condition(column: Column) -> str | None:
    name = column.name
    if column.is_code:
        return f"{name} like '%%.%%' and {name} ~ '^[0-9]+[.]0*$'"
    if column.postgres == "double precision":
        return f"{name} >= {TOO_LARGE} or {name} <= -{TOO_LARGE}"  # NaN is greater than every number
    if column.postgres == "timestamp":
        # ``now``, ``today``, ``yesterday`` and ``tomorrow`` were read as of the load.
        return (
            f"{name} not between '0001-01-01' and '9999-12-31 23:59:59.999999' or {name} = 'epoch' "
            f"or {name} between %(loaded_at)s::timestamp - interval '2 days' "
            "and %(loaded_at)s::timestamp + interval '2 days'"
        )
    return None
