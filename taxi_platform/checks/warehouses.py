"""The check that a month is the same in PostgreSQL and BigQuery: as many rows, the same sum, and the very same ids."""

from dataclasses import dataclass
from typing import cast
from uuid import uuid4

from taxi_platform.bigquery import statements
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.jobs import Jobs
from taxi_platform.bigquery.tables import Tables, table_of
from taxi_platform.checks.results import Check, CheckResult
from taxi_platform.postgres import tables as postgres
from taxi_platform.postgres.connection import connect, execute, postgres_errors
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

SAME_IN_BOTH = Check(
    "same_in_both_warehouses",
    "Where a month is in PostgreSQL too, it has as many rows there, the same sum, and the very same ids.",
    "It warns and does not block, because either of the two may not have loaded a corrected file yet.",
)


@dataclass(frozen=True)
class Summary:
    """A month in a table, in numbers that do not depend on the order of its rows.

    Attributes:
        rows: how many there are.
        cents: the sum of what was paid, in US cents.
        ids: the sums of the first, second, third and fourth 32 bits of the rows' ids.
    """

    rows: int
    cents: int
    ids: tuple[int, int, int, int]


@dataclass(frozen=True)
class Compared:
    """A month in both databases; None where it is not loaded."""

    month: Month
    bigquery: Summary | None
    postgres: Summary | None

    @property
    def passed(self) -> bool:
        """Whether no difference was found; a month that only one database has cannot be compared."""
        return self.bigquery is None or self.postgres is None or self.bigquery == self.postgres

    @property
    def description(self) -> str:
        """The outcome in one line."""
        if self.bigquery is None or self.postgres is None:
            absent = "PostgreSQL" if self.postgres is None else "BigQuery"
            return f"{self.month}: not in {absent}, so there is nothing to compare"
        if self.passed:
            return f"{self.month}: the same {self.bigquery.rows:,} rows in both"
        differing = "; ".join(
            f"{name} {getattr(self.bigquery, name)} in BigQuery, {getattr(self.postgres, name)} in PostgreSQL"
            for name in ("rows", "cents", "ids")
            if getattr(self.bigquery, name) != getattr(self.postgres, name)
        )
        return f"{self.month} differs: {differing}"

    @property
    def result(self) -> CheckResult:
        """The check result."""
        numbers = {
            name: {"rows": summary.rows, "dollars": summary.cents / 100, "ids": list(map(str, summary.ids))}
            for name, summary in (("bigquery", self.bigquery), ("postgres", self.postgres))
            if summary
        }
        return CheckResult(SAME_IN_BOTH, self.passed, self.description, self.month, numbers)


def compare_month(cloud: Cloud, url: str | None, service: Service, month: Month) -> Compared:
    """Compare a month in both databases. Without a URL there is no PostgreSQL.

    Raises:
        CloudNotReady: the dataset does not exist.
        CloudRefused: the account may not read the table.
        CloudUnavailable: Google does not answer.
        DatabaseUnreachable: PostgreSQL does not answer.
        DatabaseInterrupted: PostgreSQL went away.
        DatabaseRefused: PostgreSQL does not let us read the table.
    """
    here = in_postgres(url, service, month) if url else None
    # BigQuery's answer costs money, and without a counterpart there is nothing to compare it with.
    return Compared(month, in_bigquery(cloud, service, month) if here else None, here)


def in_bigquery(cloud: Cloud, service: Service, month: Month) -> Summary | None:
    """Return the month in BigQuery; None when it is not loaded.

    Raises:
        CloudNotReady: the dataset does not exist.
        CloudRefused: the account may not read the table.
        CloudUnavailable: Google does not answer.
    """
    table = table_of(cloud, service)
    if Tables(cloud).find(table) is None:
        return None
    jobs = Jobs(cloud, f"taxi_compare_{uuid4().hex}", service.file_name(month))
    (row,) = jobs.rows("compare", statements.summary(service, table, month))
    return _summary([int(value) for value in row.values()])


def in_postgres(url: str, service: Service, month: Month) -> Summary | None:
    """Return the month in PostgreSQL; None when it is not loaded.

    Raises:
        DatabaseUnreachable: PostgreSQL does not answer.
        DatabaseInterrupted: PostgreSQL went away.
        DatabaseRefused: PostgreSQL does not let us read the table.
    """
    with connect(url) as connection, postgres_errors(service.table):
        exists = execute(connection, "select to_regclass(%s) is not null", (postgres.partition_of(service, month),))
        if exists.fetchone() != (True,):
            return None
        row = cast("tuple[int, ...]", execute(connection, postgres.summary(service, month)).fetchone())
    return _summary([int(value) for value in row])


def _summary(numbers: list[int]) -> Summary | None:
    rows, cents, *ids = numbers
    return Summary(rows, cents, (ids[0], ids[1], ids[2], ids[3])) if rows else None
