"""Asks the database for the facts of a month. What follows from them is decided elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taxi_platform.checks import queries as statements
from taxi_platform.checks.facts import MonthFacts
from taxi_platform.checks.results import Row
from taxi_platform.checks.rules import rules_of, unique_ids
from taxi_platform.ledger.loaded import read_loaded
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute, postgres_errors
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection


def gather(url: str, service: Service, month: Month, raw: FileFacts | None) -> MonthFacts:
    """The facts of a month, from one scan of its table and a second one for ids that come twice.

    All of it is seen in one transaction, which holds the table: a load that would exchange it waits meanwhile.

    Args:
        url: the database.
        service: whose month.
        month: the month; it need not be there.
        raw: what is known of its file.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    with connect(url) as connection, postgres_errors(service.file_name(month)), connection.transaction():
        return _Gathering(connection, service, month).facts(raw)


class _Gathering:
    """One month, seen over one connection."""

    def __init__(self, connection: "Connection", service: Service, month: Month) -> None:
        self._connection = connection
        self._service = service
        self._month = month
        self._name = service.file_name(month)
        self._partition = tables.partition_of(service, month)

    def facts(self, raw: FileFacts | None) -> MonthFacts:
        if not self._exists(self._partition):
            return MonthFacts(self._month, raw=raw)
        execute(self._connection, statements.hold(self._service, self._month))
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
        return replace(facts, rows=self._ask(statements.count_rows(self._service, self._month))[0]["rows"])

    def _exists(self, table: str) -> bool:
        return execute(self._connection, statements.EXISTS, (table,)).fetchone() == (True,)

    def _rejected(self) -> int:
        if not self._exists(tables.rejects_of(self._service)):
            return 0
        return self._ask(statements.rejected(self._service), self._name)[0]["count"]

    def _counted(self, facts: MonthFacts) -> MonthFacts:
        """The same with what the scans find."""
        service, month, rules = self._service, self._month, rules_of(self._service)
        has_lookup = self._exists(statements.LOOKUP)
        zones = [row["locationid"] for row in self._ask(statements.ZONES)] if has_lookup else statements.ZONES_BY_NUMBER
        unknown = statements.not_among(zones)
        counts = dict(self._ask(statements.count_broken(service, month, rules, unknown))[0])
        rows = counts.pop("rows")
        broken = {check: counts.pop(check) for check in rules}
        samples = {
            check: self._ask(statements.sample(service, month, rule, unknown))
            for check, rule in rules.items()
            if broken[check] > rule.allowed(rows)
        }
        ids, told = unique_ids(service), statements.not_known(has_lookup=has_lookup)
        broken[ids.check.name], twice = self._duplicates()
        if twice and broken[ids.check.name] > ids.allowed(rows):
            samples[ids.check.name] = self._ask(statements.sample_of_ids(service, month), twice)
        return replace(facts, rows=rows, broken=broken, samples=samples, no_zone=counts, unknown=told)

    def _duplicates(self) -> tuple[int, list[str] | None]:
        execute(self._connection, statements.NO_HASHED_GROUPS)
        row = execute(self._connection, statements.count_duplicates(self._service, self._month)).fetchone()
        return row if row else (0, None)

    def _ask(self, statement: str, *parameters: Any) -> Sequence[Row]:
        """The rows of a query, each by its columns' names."""
        cursor = execute(self._connection, statement, parameters or None)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
