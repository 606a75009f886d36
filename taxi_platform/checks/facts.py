"""The facts of one month, read from PostgreSQL in one transaction. Check results are derived from them elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from taxi_platform.checks import queries
from taxi_platform.checks.results import Row
from taxi_platform.checks.rules import rules_of, unique_ids
from taxi_platform.ledger.loaded import read_loaded
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute, postgres_errors
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection


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
    with connect(url) as connection, postgres_errors(service.file_name(month)), connection.transaction():
        return _Reading(connection, service, month).facts(raw)


class _Reading:
    """One month, read over one connection."""

    def __init__(self, connection: "Connection", service: Service, month: Month) -> None:
        self._connection = connection
        self._service = service
        self._month = month
        self._name = service.file_name(month)
        self._partition = tables.partition_of(service, month)

    def facts(self, raw: FileFacts | None) -> MonthFacts:
        if not self._exists(self._partition):
            return MonthFacts(self._month, raw=raw)
        execute(self._connection, queries.lock(self._service, self._month))
        columns = execute(self._connection, tables.COLUMN_TYPES, (self._partition,)).fetchall()
        before = self._service.file_name(self._month.plus(-1))
        loaded = read_loaded(self._connection, [self._name, before])
        facts = MonthFacts(
            month=self._month,
            columns=[(name, kind) for name, kind in columns],
            record=loaded.get(self._name),
            raw=raw,
            rejected=self._rejected(),
            rows_before=loaded[before].rows_loaded if before in loaded else None,
        )
        if dict(facts.columns) == tables.column_types(self._service):
            return self._counted(facts)
        return replace(facts, rows=self._ask(queries.count_rows(self._service, self._month))[0]["rows"])

    def _exists(self, table: str) -> bool:
        return execute(self._connection, queries.EXISTS, (table,)).fetchone() == (True,)

    def _rejected(self) -> int:
        if not self._exists(tables.rejects_of(self._service)):
            return 0
        return self._ask(queries.rejected(self._service), self._name)[0]["count"]

    def _counted(self, facts: MonthFacts) -> MonthFacts:
        """Return the facts with the counts and samples of both scans."""
        service, month, rules = self._service, self._month, rules_of(self._service)
        has_lookup = self._exists(queries.LOOKUP)
        zones = [row["locationid"] for row in self._ask(queries.ZONES)] if has_lookup else queries.ZONES_BY_NUMBER
        unknown = queries.not_among(zones)
        counts = dict(self._ask(queries.count_broken(service, month, rules, unknown))[0])
        rows = counts.pop("rows")
        broken = {check: counts.pop(check) for check in rules}
        samples = {
            check: self._ask(queries.sample(service, month, rule, unknown))
            for check, rule in rules.items()
            if broken[check] > rule.allowed(rows)
        }
        ids, unknown_shown = unique_ids(service), queries.not_known(has_lookup=has_lookup)
        broken[ids.check.name], twice = self._duplicates()
        if twice and broken[ids.check.name] > ids.allowed(rows):
            samples[ids.check.name] = self._ask(queries.sample_of_ids(service, month), twice)
        return replace(facts, rows=rows, broken=broken, samples=samples, no_zone=counts, unknown=unknown_shown)

    def _duplicates(self) -> tuple[int, list[str] | None]:
        execute(self._connection, queries.NO_HASHED_GROUPS)
        row = execute(self._connection, queries.count_duplicates(self._service, self._month)).fetchone()
        return row if row else (0, None)

    def _ask(self, statement: str, *parameters: Any) -> Sequence[Row]:
        """Return the rows of a query, each by its columns' names."""
        cursor = execute(self._connection, statement, parameters or None)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
