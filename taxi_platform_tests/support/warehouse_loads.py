"""Loads into BigQuery for tests: published, fetched, uploaded to the lake, loaded.

loads.load(rows(GREEN, 50))
before = loads.state()
with pytest.raises(BadRows):
    loads.load(["not a trip"])
assert loads.state() == before
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.loader import LoadedIntoBigQuery, load_month
from taxi_platform.bigquery.tables import dataset_of
from taxi_platform.retries import RetryPolicy
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import MARCH

HURRIED = RetryPolicy(first_wait=0.01, longest_wait=0.02, total=30.0)


class WarehouseLoads:
    """A test's dataset, with its lake and the folder that publishes. Requests are retried without waits.

    Attributes:
        cloud: the clients of the warehouse and the lake.
        published: the folder that files are fetched from.
    """

    def __init__(self, cloud: Cloud, published: Published) -> None:
        self.cloud = replace(cloud, retries=HURRIED, run="test")
        self.published = published

    def upload(
        self, content: bytes | Sequence[str] | None = None, service: Service = GREEN, month: Month = MARCH
    ) -> TripFile:
        """Upload the month to the lake, and publish it first if there is new content."""
        if content is not None:
            self.published.publish(content, service, month)
        return Lake(self.cloud).put(self.published.fetch(service, month)).file

    def load(
        self,
        content: bytes | Sequence[str] | None = None,
        service: Service = GREEN,
        month: Month = MARCH,
        *,
        max_bad_rows: float = 0,
        force: bool = False,
    ) -> LoadedIntoBigQuery:
        """Publish the month if there is new content, upload it, and load it."""
        return self.load_file(self.upload(content, service, month), max_bad_rows=max_bad_rows, force=force)

    def load_file(
        self,
        file: TripFile,
        *,
        max_bad_rows: float = 0,
        force: bool = False,
        cloud: Cloud | None = None,
    ) -> LoadedIntoBigQuery:
        """Load a month from the lake, if needed with other clients of the same warehouse."""
        return load_month(cloud or self.cloud, file, max_bad_rows=max_bad_rows, force=force)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in which ``{}`` stands for the dataset."""
        found = self.cloud.bigquery.query_and_wait(query.replace("{}", dataset_of(self.cloud)))
        return [tuple(row.values()) for row in found]

    def one(self, query: str) -> Any:
        """Return the only value of a query."""
        ((value,),) = self.ask(query)
        return value

    def tables(self) -> set[str]:
        """Return the names of all tables."""
        return {table.table_id for table in self.cloud.bigquery.list_tables(dataset_of(self.cloud))}

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything that a failed load must not change."""
        ours = {f"{service.table}{suffix}" for service in SERVICES.values() for suffix in ("", "_rejects")}
        there = sorted(self.tables() & ours)
        return {name: sorted(self.ask(f"select * from `{{}}.{name}`"), key=repr) for name in there}

    def staging(self) -> set[str]:
        """Return the staging tables of unfinished and interrupted loads."""
        return {name for name in self.tables() if "_staging_" in name}
