"""The check that a month is the same in PostgreSQL and BigQuery: as many rows, the same sums, and the very same ids."""

from typing import Any

from taxi_platform.bigquery import statements
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.jobs import Jobs
from taxi_platform.bigquery.tables import Tables, table_of
from taxi_platform.checks.results import Check, CheckResult
from taxi_platform.postgres import tables as postgres
from taxi_platform.postgres.connection import connect, execute, exists, postgres_errors
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

SAME_IN_BOTH = Check(
    "same_in_both_warehouses",
    "Where a month is in PostgreSQL too, it has as many rows there, the same sum, and the very same ids.",
    "It warns and does not block, because either of the two may not have loaded a corrected file yet.",
)

Summary = dict[str, Any]
"""A month in numbers that do not depend on the order of its rows; ``ids`` are sums of 32 bits of the rows' ids."""


def compare_month(cloud: Cloud, url: str | None, service: Service, month: Month) -> CheckResult:
    """Compare a month in both databases. If only one of them has it, or without a URL, the check passes."""
    here = _in_postgres(url, service, month) if url else None
    # BigQuery's answer costs money, and without a counterpart there is nothing to compare it with.
    there = _in_bigquery(cloud, service, month) if here else None
    numbers = {name: summary for name, summary in (("bigquery", there), ("postgres", here)) if summary}
    if not here or not there:
        description = f"{month}: not in {'BigQuery' if here else 'PostgreSQL'}, so there is nothing to compare"
        return CheckResult(SAME_IN_BOTH, True, description, month, numbers)
    differing = [
        f"{name} {there[name]} in BigQuery, {here[name]} in PostgreSQL" for name in here if here[name] != there[name]
    ]
    same = f"{month}: the same {here['rows']:,} rows in both"
    description = f"{month} differs: {'; '.join(differing)}" if differing else same
    return CheckResult(SAME_IN_BOTH, not differing, description, month, numbers)


def _in_bigquery(cloud: Cloud, service: Service, month: Month) -> Summary | None:
    table = table_of(cloud, service)
    if Tables(cloud).find(table) is None:
        return None
    statement = statements.summary(service, table, month)
    (row,) = Jobs(cloud, service.file_name(month), service.name, month).rows("compare", statement)
    return _summary(*row.values())


def _in_postgres(url: str, service: Service, month: Month) -> Summary | None:
    with connect(url) as connection, postgres_errors(service.table):
        if not exists(connection, postgres.partition_of(service, month)):
            return None
        (row,) = execute(connection, postgres.summary(service, month)).fetchall()
    return _summary(*row)


def _summary(rows: Any, cents: Any, pickups: Any, *ids: Any) -> Summary | None:
    """Return what either database answered in the same types; None if the month has no rows."""
    if not int(rows):
        return None
    parts = [str(int(part)) for part in ids]
    return {"rows": int(rows), "dollars": int(cents) / 100, "pickup_seconds": int(pickups), "ids": parts}
