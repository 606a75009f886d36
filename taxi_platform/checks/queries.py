"""The SQL text by which the facts of a month are gathered, derived from the contract and the rules. Pure.

Every statement reads only the month's own table, because a query of the whole table is planned with all partitions.
"""

from collections.abc import Iterable, Mapping

from taxi_platform.checks.rules import ZONE_COLUMNS, Rule
from taxi_platform.postgres import tables
from taxi_platform.trips import zones
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

SAMPLE = 5
"""Rows of a sample: enough to see what is wrong, few enough for an event log that keeps them for years."""

LOOKUP = tables.qualified(zones.TABLE)
ZONES = f"select locationid from {LOOKUP} where locationid is not null"
ZONES_BY_NUMBER = range(1, 266)
"""The TLC's numbers, used while the zone lookup is not loaded."""

UNKNOWN_PLACES = "('264', '265')"

EXISTS = "select to_regclass(%s) is not null"


def lock(service: Service, month: Month) -> str:
    """Return the statement that keeps the month's table from being replaced until the transaction ends."""
    return f"lock table {tables.partition_of(service, month)} in access share mode"


def rejected(service: Service) -> str:
    """Return the query for how many records of a file are among the rejects; its parameter is the file's name."""
    return f"select count(*) from {tables.rejects_of(service)} where filename = %s"


def count_rows(service: Service, month: Month) -> str:
    """Return the query that only counts the rows of a month."""
    return f"select count(*) as rows from {tables.partition_of(service, month)}"


def not_among(zones: Iterable[int]) -> str:
    """Return the SQL condition for zone ids outside ``zones``. Inlined, because a subquery is half as fast."""
    return f"<> all ('{{{', '.join(map(str, zones))}}}'::text[])"


def not_known(*, has_lookup: bool) -> str:
    """Return the same condition as it is shown to people, with a subquery instead of the list."""
    numbers = f"{ZONES_BY_NUMBER[0]}, {ZONES_BY_NUMBER[-1]}"
    return (
        f"not in (select locationid::text from {LOOKUP} where locationid is not null)"
        if has_lookup
        else (f"not in (select generate_series({numbers})::text)")
    )


def count_broken(service: Service, month: Month, rules: Mapping[str, Rule], unknown: str) -> str:
    """Return the one scan of a month: its rows, the rows that break each rule, and those without a known zone."""
    counts = {check: rule.condition(month, unknown) for check, rule in rules.items()}
    for name in ZONE_COLUMNS:
        counts |= {f"{name}_absent": f"{name} is null", f"{name}_unknown": f"{name} in {UNKNOWN_PLACES}"}
    listed = ",\n    ".join(f"count(*) filter (where {condition}) as {name}" for name, condition in counts.items())
    return f"select count(*) as rows,\n    {listed}\nfrom {tables.partition_of(service, month)}"


NO_HASHED_GROUPS = "set local enable_hashagg = off"
"""A hash table of a million groups outgrows its memory and is written to disk; sorting as many numbers is faster."""


def count_duplicates(service: Service, month: Month) -> str:
    """Return the query for the rows that have an id of another row, and some of these ids.

    The md5 of every row would take longer than to load it. Equal ids have equal times, because every time has the
    same length, so only rows whose pair of times comes twice need their md5: one in hundreds. Pairs are compared by a
    hash; rows without a time are all compared.
    """
    partition = tables.partition_of(service, month)
    times = f"coalesce(timestamp_hash_extended({service.pickup}, timestamp_hash_extended({service.dropoff}, 0)), 0)"
    return f"""
with twins as materialized (
    select {times} as times from {partition} group by 1 having count(*) > 1
), same as (
    select unique_row_id, count(*) as rows from {partition} join twins on twins.times = {times}
    group by 1 having count(*) > 1
)
select coalesce(sum(rows - 1), 0)::bigint, (array_agg(unique_row_id))[:{SAMPLE}] from same"""


def sample(service: Service, month: Month, rule: Rule, unknown: str) -> str:
    """Return the query for some rows that break a rule, in the columns that show it."""
    columns = ", ".join(dict.fromkeys(["unique_row_id", *rule.shown, *service.identity]))
    condition = rule.condition(month, unknown)
    return f"select {columns} from {tables.partition_of(service, month)} where {condition} limit {SAMPLE}"


def sample_of_ids(service: Service, month: Month) -> str:
    """Return the query for the rows of some ids, its parameter; twice a sample, because they come in pairs."""
    columns = ", ".join(dict.fromkeys(["unique_row_id", *service.identity]))
    partition = tables.partition_of(service, month)
    return f"select {columns} from {partition} where unique_row_id = any(%s) order by 1 limit {2 * SAMPLE}"


def listing(service: Service, month: Month, rule: Rule, unknown: str) -> str:
    """Return the SQL by which a person lists the rows that break a rule, or the ids that come twice."""
    of_file = f"filename = {tables.literal(service.file_name(month))}"
    if rule.broken:
        return f"select * from {tables.table_of(service)} where {of_file} and ({rule.condition(month, unknown)})"
    return (
        f"select unique_row_id, count(*) from {tables.table_of(service)} where {of_file} group by 1 having count(*) > 1"
    )
