"""The facts of one month, read from PostgreSQL in one transaction. Check results are derived from them elsewhere.

Every statement reads only the month's own table, because a query of the whole table is planned with all partitions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from taxi_platform.checks.results import Row
from taxi_platform.checks.rules import UNIQUE_IDS, ZONE_COLUMNS, condition, rules_of
from taxi_platform.ledger.loaded import read_loaded
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute, postgres_errors
from taxi_platform.trips import zones
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

SAMPLE = 5
"""Rows of a sample: enough to see what is wrong, few enough for an event log that keeps them for years."""

_LOOKUP = tables.qualified(zones.TABLE)
_ZONES = f"select locationid from {_LOOKUP} where locationid is not null"
_ZONES_BY_NUMBER = range(1, 266)  # the TLC's numbers, used while the zone lookup is not loaded
_UNKNOWN_PLACES = "('264', '265')"

_TWICE = f"""
with twins as materialized (
    select {{times}} as times from {{partition}} group by 1 having count(*) > 1
), same as (
    select unique_row_id, count(*) as rows from {{partition}} join twins on twins.times = {{times}}
    group by 1 having count(*) > 1
)
select coalesce(sum(rows - 1), 0)::bigint, (array_agg(unique_row_id))[:{SAMPLE}] from same"""
"""The query for the rows that have an id of another row, and some of these ids.

The md5 of every row would take longer than to load it. Equal ids have equal times, because every time has the same
length, so only rows whose pair of times comes twice need their md5: one in hundreds. Pairs are compared by a hash; rows
without a time are all compared.
"""


@dataclass(frozen=True)
class MonthFacts:
    """One month as it is in its table.

    Attributes:
        month: which month.
        columns: the columns of its table with their types, in order; empty when there is no such table.
        record: the database's load record, read in the same snapshot as the counts; None if there is none.
        raw: the facts of its raw file; None if they are not known.
        rows: the rows counted in it.
        rejected: the records of the file that are among the rejects.
        broken: how many rows break each rule, by check; without the rules that could not be evaluated.
        samples: some of these rows, by check.
        no_zone: how many rows lack a zone number, and how many name an unknown place (264, 265).
        unknown: the SQL condition for an unknown zone, as it is shown to people.
        rows_before: the rows of the month before, if that month is loaded.
    """

    month: Month
    columns: Sequence[tuple[str, str]] = ()
    record: LoadRecord | None = None
    raw: FileFacts | None = None
    rows: int = 0
    rejected: int = 0
    broken: Mapping[str, int] = field(default_factory=dict[str, int])
    samples: Mapping[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])
    no_zone: Mapping[str, int] = field(default_factory=dict[str, int])
    unknown: str = ""
    rows_before: int | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is a table of the month."""
        return bool(self.columns)


def read_facts(url: str, service: Service, month: Month, raw: FileFacts | None) -> MonthFacts:
    """Return the facts of a month, from one scan of its table and a second one for repeated ids.

    One transaction locks the table and reads all of it; a load that is about to replace the table waits meanwhile.

    Args:
        url: the database.
        service: the service.
        month: the month; it may be absent.
        raw: the facts of its raw file; None if they are not known.

    Raises:
        DatabaseUnreachable: the server does not answer.
        DatabaseInterrupted: the connection broke, or a timeout ended a wait.
        DatabaseRefused: the server refuses a query.
    """
    name, before = service.file_name(month), service.file_name(month.plus(-1))
    partition, rejects = tables.partition_of(service, month), tables.rejects_of(service)
    with connect(url) as connection, postgres_errors(name), connection.transaction():
        if not _exists(connection, partition):
            return MonthFacts(month, raw=raw)
        execute(connection, f"lock table {partition} in access share mode")
        loaded = read_loaded(connection, [name, before])
        rejected = 0
        if _exists(connection, rejects):
            rejected = _ask(connection, f"select count(*) from {rejects} where filename = %s", name)[0]["count"]
        facts = MonthFacts(
            month=month,
            columns=[(column, kind) for column, kind in execute(connection, tables.COLUMN_TYPES, (partition,))],
            record=loaded.get(name),
            raw=raw,
            rejected=rejected,
            rows_before=loaded[before].rows_loaded if before in loaded else None,
        )
        if not tables.differences(service, dict(facts.columns)):
            return _counted(connection, service, facts)
        return replace(facts, rows=_ask(connection, f"select count(*) from {partition}")[0]["count"])


def not_among(zones: Iterable[int]) -> str:
    """Return the SQL condition for zone ids outside ``zones``. Inlined, because a subquery is half as fast."""
    return f"<> all ('{{{', '.join(map(str, zones))}}}'::text[])"


def _counted(connection: "Connection", service: Service, facts: MonthFacts) -> MonthFacts:
    """Return the facts with the counts and samples of both scans."""
    partition = tables.partition_of(service, facts.month)
    zones, unknown = _ZONES_BY_NUMBER, f"select generate_series(1, {_ZONES_BY_NUMBER[-1]})::text"
    if _exists(connection, _LOOKUP):
        zones = [row["locationid"] for row in _ask(connection, _ZONES)]
        unknown = _ZONES.replace("locationid", "locationid::text", 1)
    rules = rules_of(service)
    wanted = {
        name: condition(service, facts.month, rule, not_among(zones))
        for name, rule in rules.items()
        if name != UNIQUE_IDS
    }
    for name in ZONE_COLUMNS:
        wanted |= {f"{name}_absent": f"{name} is null", f"{name}_unknown": f"{name} in {_UNKNOWN_PLACES}"}
    listed = ", ".join(f"count(*) filter (where {broken}) as {name}" for name, broken in wanted.items())
    counts = dict(_ask(connection, f"select count(*) as rows, {listed} from {partition}")[0])

    # A hash table of a million groups outgrows its memory and is written to disk; sorting as many numbers is faster.
    execute(connection, "set local enable_hashagg = off")
    times = f"coalesce(timestamp_hash_extended({service.pickup}, timestamp_hash_extended({service.dropoff}, 0)), 0)"
    ((counts[UNIQUE_IDS], twice),) = execute(connection, _TWICE.format(partition=partition, times=times)).fetchall()

    rows = counts.pop("rows")
    broken = {name: counts.pop(name) for name in rules}
    shown = ["unique_row_id", *service.identity, *filter(service.has, ["total_amount", "payment_type"])]
    select = f"select {', '.join(dict.fromkeys(shown))} from {partition} where"
    samples: dict[str, Sequence[Row]] = {}
    for name, rule in rules.items():
        if broken[name] > rule.allowed(rows):
            samples[name] = (
                # Twice a sample, because they come in pairs.
                _ask(connection, f"{select} unique_row_id = any(%s) order by 1 limit {2 * SAMPLE}", twice)
                if name == UNIQUE_IDS
                else _ask(connection, f"{select} {wanted[name]} limit {SAMPLE}")
            )
    return replace(facts, rows=rows, broken=broken, samples=samples, no_zone=counts, unknown=f"not in ({unknown})")


def _exists(connection: "Connection", table: str) -> bool:
    return execute(connection, "select to_regclass(%s) is not null", (table,)).fetchone() == (True,)


def _ask(connection: "Connection", statement: str, *parameters: Any) -> Sequence[Row]:
    """Return the rows of a query, each by its columns' names."""
    cursor = execute(connection, statement, parameters or None)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
