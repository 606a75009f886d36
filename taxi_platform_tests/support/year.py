"""The months of one test's own year: published by the source, backfilled on the stack, counted there."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from taxi_platform.sources.sample import SampleSource
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service
from taxi_platform_tests.support.stack import PASSWORDS, Stack
from taxi_platform_tests.support.trip_server import TripServer

SCALE = 0.0001  # some ten trips a month of green, some hundred of yellow
DONE_SECONDS = 400  # enough for two cores that are busy with other tests
LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
} }"""
NEWEST = "{ partitionBackfillsOrError(limit: 1) { ... on PartitionBackfills { results { id } } } }"
AGAIN = """mutation($params: ReexecutionParams!) { reexecutePartitionBackfill(reexecutionParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
} }"""
BACKFILL = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } }
    ... on PythonError { message }
} }"""
RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter) {
    ... on Runs { results { runId status tags { key value } } }
} }"""
MATERIALIZED = """query($key: AssetKeyInput!, $months: [String!]) { assetOrError(assetKey: $key) { ... on Asset {
    assetMaterializations(partitions: $months) { partition runId }
} } }"""
COUNTED = """select filename, count(*), sum(total_amount::numeric) from {table}
where filename like '{table}_{year}-%' group by filename"""
UNFINISHED = ["NOT_STARTED", "QUEUED", "STARTING", "STARTED", "CANCELING"]

Content = Mapping[str, tuple[int, Decimal]]  # for each file: the number of rows and the sum of total_amount


class Year:
    """The months of some services.

    Args:
        stack: where they are loaded.
        source: the server that the stack fetches from; it publishes them from now on.
        year: its number, which no other test has.
        services: whose trips.
        folder: for the files, while they are made.
        months: their numbers.
    """

    def __init__(
        self,
        stack: Stack,
        source: TripServer,
        year: int,
        services: Sequence[Service],
        folder: Path,
        months: Iterable[int] = range(1, 13),
    ) -> None:
        self.months = [Month(year, month) for month in months]
        self.assets = [service.table for service in services]
        self._year = year
        self._stack = stack
        self._content: dict[str, Content] = {}
        sample, file = SampleSource(SCALE), folder / "month.csv.gz"
        for service in services:
            content: dict[str, tuple[int, Decimal]] = {}
            for month in self.months:
                sample.fetch(sample.trips(service, month), file)
                source.publish(path(service, month), file.read_bytes())
                content[service.file_name(month)] = rows_and_sum(file)
            self._content[service.table] = content

    def launch(self) -> str:
        """Start a backfill of all months, as the UI's dialog does, and return its id."""
        selected = [{"path": [asset]} for asset in self.assets]
        params = {"assetSelection": selected, "partitionNames": [str(month) for month in self.months]}
        return _launched(self._stack.graphql(LAUNCH, params=params)["launchPartitionBackfill"])

    def launch_again(self, backfill: str) -> str:
        """Re-execute the failed part of a backfill, as the UI's button does, and return the new backfill's id."""
        params = {"parentRunId": backfill, "strategy": "FROM_ASSET_FAILURE"}
        return _launched(self._stack.graphql(AGAIN, params=params)["reexecutePartitionBackfill"])

    def wait_for(self, backfill: str, status: str = "COMPLETED_SUCCESS") -> None:
        """Wait until a backfill has this status; services that end meanwhile are started again."""

        def is_done() -> bool:
            answer = self._stack.graphql(BACKFILL, id=backfill)["partitionBackfillOrError"]
            assert answer.get("status") in ("REQUESTED", "FAILING", status), f"{answer}\n{self._stack.logs()}"
            return answer["status"] == status

        self._stack.wait(is_done, f"backfill {status}", DONE_SECONDS)

    def runs(self, backfill: str) -> list[dict[str, Any]]:
        """Return the runs of a backfill, the newest first, with their tags as a mapping."""
        filter_ = {"tags": [{"key": "dagster/backfill", "value": backfill}]}
        runs = self._stack.graphql(RUNS, filter=filter_)["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]

    def check(self, backfill: str) -> list[dict[str, Any]]:
        """Check that every month equals its file and no run recorded one twice; return the backfill's runs."""
        for asset in self.assets:
            assert self.loaded(asset) == self._content[asset]
            recorded = self.materialized(asset)
            assert {month for month, _ in recorded} == {str(month) for month in self.months}
            assert max(recorded.values()) == 1
        runs = self.runs(backfill)
        retried = {run["tags"].get("dagster/parent_run_id") for run in runs}
        for run in runs:
            assert run["status"] == ("FAILURE" if run["runId"] in retried else "SUCCESS")
        unfinished = {"statuses": UNFINISHED}
        self._stack.wait(
            lambda: not self._stack.graphql(RUNS, filter=unfinished)["runsOrError"]["results"], "no run left"
        )
        return runs

    def loaded(self, asset: str) -> Content:
        """Return the content of the table."""
        with psycopg.connect(trips_url(self._stack)) as connection:
            rows = connection.execute(COUNTED.format(table=asset, year=self._year).encode()).fetchall()
        return {name: (count, total) for name, count, total in rows}

    def materialized(self, asset: str) -> Counter[tuple[str, str]]:
        """Return how often each run recorded each month."""
        months = [str(month) for month in self.months]
        answer = self._stack.graphql(MATERIALIZED, key={"path": [asset]}, months=months)["assetOrError"]
        return Counter((made["partition"], made["runId"]) for made in answer["assetMaterializations"])


def _launched(answer: Mapping[str, str]) -> str:
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return answer["backfillId"]


def path(service: Service, month: Month) -> str:
    """Return the path at which the stack's source publishes a month."""
    return f"/{service.name}/{service.file_name(month)}.gz"


def rows_and_sum(file: Path) -> tuple[int, Decimal]:
    """Return the number of trips in a file, and their total amount."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        amounts = [Decimal(trip["total_amount"]) for trip in csv.DictReader(lines)]
    return len(amounts), sum(amounts, Decimal())


def trips_url(stack: Stack) -> str:
    """Return the owner's URL of a stack's database of trips."""
    return f"postgresql://taxi:{PASSWORDS['TAXI_DB_PASSWORD']}@127.0.0.1:{stack.port(5432)}/ny_taxi"


def newest_backfill(stack: Stack) -> str | None:
    """Return the id of the newest backfill."""
    found = stack.graphql(NEWEST)["partitionBackfillsOrError"]["results"]
    return found[0]["id"] if found else None
