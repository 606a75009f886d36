"""The facts of one month, read from PostgreSQL in one transaction. Check results are derived from them elsewhere.

Every statement reads only the month's own table, because a query of the whole table is planned with all partitions.
"""

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from taxi_platform.checks.results import Row
from taxi_platform.checks.rules import UNIQUE_IDS, ZONE_COLUMNS, condition, rules_of
from taxi_platform.ledger.loaded import read_loaded
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import Connection, connect, execute, exists, postgres_errors
from taxi_platform.trips import zones
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

SAMPLE = 5  # rows: enough to see what is wrong, few enough for an event log that keeps them for years

_LOOKUP = tables.qualified(zones.TABLE)
_ZONES = f"select locationid from {_LOOKUP} where locationid is not null"
_ZONES_BY_NUMBER = range(1, 266)  # the TLC's numbers, used while the zone lookup is not loaded
_UNKNOWN_PLACE = "({zone} = '264' or {zone} = '265')"  # IN takes a tenth of the scan longer
_FEW_ROWS = 5_000  # compared by their ids at once: importing numpy would take longer
_MOST_TWINS = 500_000  # listed in one statement; a month with more of them has every id compared
_ROWS_AT_ONCE = 8_000_000  # four bytes of each are in memory, twice
_TIMES = "timestamp_hash({pickup}) # (timestamp_hash({dropoff}) >> 1)"  # of a row's pair of times; NULL without one
_NO_TIME = 0

_EQUAL_IDS = f"""
select coalesce(sum(rows - 1), 0)::bigint, (array_agg(id))[:{SAMPLE}] from (
    select unique_row_id as id, count(*) as rows from {{partition}} where {{compared}} group by 1 having count(*) > 1
) as same"""
"""The query for the rows that have an id of another row, and some of these ids.

The md5 of every row would take longer than to load it. Equal ids have equal times, because every time has the same
length, so only rows whose pair of times comes twice need their md5: one in hundreds. The scan for the rules brings a
hash of each pair here, where they are sorted sooner than the server would group them. Rows without a time are all
compared.
"""


@dataclass(frozen=True)
class MonthFacts:
    """What one month's table contains."""

    month: Month
    columns: Sequence[tuple[str, str]] = ()  # of its table with their types, in order; empty without a table
    record: LoadRecord | None = None  # the database's load record, read in the same snapshot as the counts
    raw: FileFacts | None = None  # the facts of its raw file, if they are known
    rows: int = 0  # counted in the table
    rejected: int = 0  # the records of the file that are among the rejects
    broken: Mapping[str, int] = field(default_factory=dict[str, int])  # how many rows break each evaluated rule
    samples: Mapping[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])  # of these rows, by rule
    no_zone: Mapping[str, int] = field(default_factory=dict[str, int])  # rows without a zone, or in no real place
    unknown: str = ""  # the SQL condition for an unknown zone, for people
    rows_before: int | None = None  # of the month before, if that month is loaded

    @property
    def is_there(self) -> bool:
        """Whether there is a table of the month."""
        return bool(self.columns)


def read_facts(url: str, service: Service, month: Month, raw: FileFacts | None) -> MonthFacts:
    """Return the facts of a month, from one scan of its table and a second one for repeated ids.

    One transaction locks the table and reads all of it; a load that is about to replace the table waits meanwhile.
    """
    name, before = service.file_name(month), service.file_name(month.plus(-1))
    partition, rejects = tables.partition_of(service, month), tables.rejects_of(service)
    with connect(url) as connection, postgres_errors(name), connection.transaction():
        if not exists(connection, partition):
            return MonthFacts(month, raw=raw)
        execute(connection, f"lock table {partition} in access share mode")
        loaded = read_loaded(connection, [name, before])
        rejected = 0
        if exists(connection, rejects):
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


def _counted(connection: Connection, service: Service, facts: MonthFacts) -> MonthFacts:
    """Return the facts with the counts and samples of both scans."""
    partition = tables.partition_of(service, facts.month)
    zones, unknown = _ZONES_BY_NUMBER, f"select generate_series(1, {_ZONES_BY_NUMBER[-1]})::text"
    if exists(connection, _LOOKUP):
        zones = [row["locationid"] for row in _ask(connection, _ZONES)]
        unknown = _ZONES.replace("locationid", "locationid::text", 1)
    rules = rules_of(service)
    not_among = f"<> all ('{{{', '.join(map(str, zones))}}}'::text[])"  # inlined, because a subquery is half as fast
    wanted = {name: condition(service, facts.month, rule, not_among) for name, rule in rules.items() if rule.broken}
    for name in ZONE_COLUMNS:
        wanted |= {f"{name}_absent": f"{name} is null", f"{name}_unknown": _UNKNOWN_PLACE.format(zone=name)}
    listed = ", ".join(f"count(*) filter (where {broken}) as {name}" for name, broken in wanted.items())
    times = _TIMES.format(pickup=service.pickup, dropoff=service.dropoff)
    query = f"select count(*) as rows, {listed}, string_agg(int4send({times}), '') as times from {partition} where "
    counts, twins = Counter[str](), [_NO_TIME]
    for part in _parts(service, facts.record.rows_loaded if facts.record else 0):
        found = dict(_ask(connection, query + part)[0])
        twins += _twins(found.pop("times") or b"")
        counts.update(found)
    execute(connection, "set local enable_hashagg = off")  # a hash table of millions of ids would be written to disk
    compared, values = f"coalesce({times}, {_NO_TIME}) = any(%s::int[])", [twins]
    if len(twins) > _MOST_TWINS:
        compared, values = "true", []
    ids = execute(connection, _EQUAL_IDS.format(partition=partition, compared=compared), values or None)
    ((counts[UNIQUE_IDS], twice),) = ids.fetchall()

    rows = counts.pop("rows")
    broken = {name: counts.pop(name) for name in rules}
    shown = ["unique_row_id", *service.identity, *filter(service.has, ["total_amount", "payment_type"])]
    select = f"select {', '.join(dict.fromkeys(shown))} from {partition} where"
    samples: dict[str, Sequence[Row]] = {}
    for name, rule in rules.items():
        if broken[name] > rule.allowed(rows) and name == UNIQUE_IDS:  # twice a sample, because they come in pairs
            samples[name] = _ask(connection, f"{select} unique_row_id = any(%s) order by 1 limit {2 * SAMPLE}", twice)
        elif broken[name] > rule.allowed(rows):
            samples[name] = _ask(connection, f"{select} {wanted[name]} limit {SAMPLE}")
    return replace(facts, rows=rows, broken=broken, samples=samples, no_zone=counts, unknown=f"not in ({unknown})")


def _parts(service: Service, rows: int) -> list[str]:
    """Return conditions that divide a month into parts, each with all rows of a pickup time."""
    parts = 1 << (rows // _ROWS_AT_ONCE).bit_length()
    pickup = f"coalesce(timestamp_hash({service.pickup}), 0)"
    return [f"{pickup} & {parts - 1} = {part}" for part in range(parts)] if parts > 1 else ["true"]


def _twins(times: bytes) -> list[int]:
    """Return the hashes that occur more than once; if there are few, all of them."""
    if len(times) <= 4 * _FEW_ROWS:
        return [value for (value,) in struct.iter_unpack(">i", times)]
    import numpy as np

    values = np.sort(np.frombuffer(times, np.int32))  # sorted without reversing the bytes of each
    return np.unique(values[1:][values[1:] == values[:-1]]).view(">i4").tolist()


def _ask(connection: Connection, statement: str, *parameters: Any) -> Sequence[Row]:
    """Return the rows of a query, each by its columns' names."""
    cursor = connection.execute(statement.encode(), parameters or None, binary=True)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
