"""Whether a month is the same in both warehouses: as many rows, the same sum, and the very same ids."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from uuid import uuid4

from taxi_platform.bigquery import schema, statements
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.jobs import Jobs
from taxi_platform.bigquery.outcomes import JobFailed, refused
from taxi_platform.bigquery.tables import Tables
from taxi_platform.checks.results import Check, Verdict
from taxi_platform.postgres import tables as postgres
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.errors import postgres_errors
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

Log = Callable[[str], None]

SAME_IN_BOTH = Check(
    "same_in_both_warehouses",
    "Where a month is in PostgreSQL too, it has as many rows there, the same sum, and the very same ids.",
    "It warns and does not block, for either of the two may be the one that has yet to load a corrected file.",
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
    """A month in both; none where it is not there."""

    month: Month
    bigquery: Summary | None
    postgres: Summary | None

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against their being the same: a month that is in one only cannot be compared."""
        return self.bigquery is None or self.postgres is None or self.bigquery == self.postgres

    @property
    def story(self) -> str:
        """What was found, in one line."""
        if self.bigquery is None or self.postgres is None:
            absent = "PostgreSQL" if self.postgres is None else "BigQuery"
            return f"{self.month}: not in {absent}, so that there is nothing to compare"
        if self.passed:
            return f"{self.month}: the same {self.bigquery.rows:,} rows in both"
        differing = "; ".join(
            f"{name} {getattr(self.bigquery, name)} in BigQuery, {getattr(self.postgres, name)} in PostgreSQL"
            for name in ("rows", "cents", "ids")
            if getattr(self.bigquery, name) != getattr(self.postgres, name)
        )
        return f"{self.month} differs: {differing}"

    @property
    def verdict(self) -> Verdict:
        """The same as the check says it."""
        numbers = {
            name: {"rows": one.rows, "dollars": one.cents / 100, "ids": list(map(str, one.ids))}
            for name, one in (("bigquery", self.bigquery), ("postgres", self.postgres))
            if one
        }
        return Verdict(SAME_IN_BOTH, self.passed, self.story, self.month, numbers)


def compare_month(cloud: Cloud, url: str | None, service: Service, month: Month, log: Log) -> Compared:
    """A month in both warehouses. Without the URL of a database, there is no PostgreSQL.

    Raises:
        CloudNotReady, CloudRefused, CloudUnavailable: BigQuery does not say.
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: PostgreSQL does not.
    """
    there = in_postgres(url, service, month) if url else None
    # What BigQuery would have to say is not free, and would say nothing.
    return Compared(month, in_bigquery(cloud, service, month, log) if there else None, there)


def in_bigquery(cloud: Cloud, service: Service, month: Month, log: Log) -> Summary | None:
    """The month in the warehouse; none when it is not there.

    Raises:
        CloudNotReady, CloudRefused, CloudUnavailable: BigQuery does not say.
    """
    table = schema.table_of(cloud, service)
    if Tables(cloud, log).find(table) is None:
        return None
    jobs = Jobs(cloud, f"taxi_compare_{uuid4().hex}", service.file_name(month), log)
    try:
        (found,) = jobs.rows("compare", statements.summary(service, table, month))
    except JobFailed as failed:
        raise refused(failed, service.file_name(month)) from failed
    return _summary([int(value) for value in found.values()])


def in_postgres(url: str, service: Service, month: Month) -> Summary | None:
    """The month in PostgreSQL; none when it is not there.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    with connect(url) as connection, postgres_errors(service.table):
        there = execute(connection, "select to_regclass(%s) is not null", (postgres.partition_of(service, month),))
        if there.fetchone() != (True,):
            return None
        found = cast("tuple[int, ...]", execute(connection, postgres.summary(service, month)).fetchone())
    return _summary([int(value) for value in found])


def _summary(numbers: list[int]) -> Summary | None:
    rows, cents, *ids = numbers
    return Summary(rows, cents, (ids[0], ids[1], ids[2], ids[3])) if rows else None
