"""More runs queued at once than may be in progress: the limits of ``dagster.yaml`` hold, and all of them succeed."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import yaml

from taxi_platform.settings import PROJECT
from taxi_platform.trips.services import SERVICES
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.trip_server import Answer, TripServer
from taxi_platform_tests.support.year import Year, path

CONCURRENCY = yaml.safe_load((PROJECT / "dagster.yaml").read_text())["concurrency"]
POOL = CONCURRENCY["pools"]["default_limit"]
OF_A_BACKFILL = CONCURRENCY["runs"]["tag_concurrency_limits"][0]["limit"]
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
} }"""
RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter) {
    ... on Runs { results { runId status startTime endTime } }
} }"""
IN_PROGRESS = ["STARTING", "STARTED", "CANCELING"]


def submit(stack: Stack, asset: str, month: str, **tags: str) -> str:
    """Put a run into the queue, as the UI's button does it, and return its id."""
    tags = {"dagster/partition": month, **tags}
    params = {
        "selector": {
            "repositoryName": "__repository__",
            "repositoryLocationName": "taxi_platform",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": [asset]}],
        },
        "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
    }
    answer = stack.graphql(LAUNCH, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return answer["run"]["runId"]


@contextmanager
def held(source: TripServer, paths: Sequence[str]) -> Iterator[None]:
    """Hold back files until the end of the block."""
    go_on = threading.Event()
    for address in paths:
        source.script(address, Answer(until=go_on))
    try:
        yield
    finally:
        go_on.set()


def runs(stack: Stack, **filter_: Any) -> list[dict[str, Any]]:
    """Return the runs that match a filter."""
    return stack.graphql(RUNS, filter=filter_)["runsOrError"]["results"]


def wait_for_end(stack: Stack, ids: Sequence[str]) -> None:
    """Wait until runs have ended."""
    stack.wait(lambda: not runs(stack, runIds=ids, statuses=["QUEUED", *IN_PROGRESS]), "every run ended", 240)


def most_at_once(found: Sequence[dict[str, Any]]) -> int:
    """Return how many runs were in progress at the same time, by their recorded starts and ends."""
    moments = [(run["startTime"], 1) for run in found] + [(run["endTime"], -1) for run in found]
    return max(accumulate(step for _, step in sorted(moments)))


def test_of_many_runs_at_once_no_more_than_the_limits_allow_are_in_progress(
    stack: Stack, source: TripServer, year: Year
) -> None:
    green, yellow = [SERVICES[asset.removesuffix("_tripdata")] for asset in year.assets]
    ours, theirs, first = year.months[:3], year.months[:2], year.months[3]
    files = [path(service, month) for service in (green, yellow) for month in ours]
    tags = {"dagster/backfill": f"by hand {year.months[0]}"}
    # Dagster applies the default limit of a pool only after it has evaluated the pool's first run.
    wait_for_end(stack, [submit(stack, green.table, str(first))])
    with held(source, files):
        backfill = [submit(stack, green.table, str(month), **tags) for month in ours]
        others = [submit(stack, yellow.table, str(month)) for month in theirs]
        stack.wait(
            lambda: len(runs(stack, statuses=["STARTED"])) == POOL, "as many runs in progress as the pool has slots"
        )
    ids = [*backfill, *others]
    wait_for_end(stack, ids)
    found = {run["runId"]: run for run in runs(stack, runIds=ids)}
    assert [found[run]["status"] for run in ids] == ["SUCCESS"] * len(ids)
    assert most_at_once(list(found.values())) == POOL
    assert most_at_once([found[run] for run in backfill]) == OF_A_BACKFILL < POOL
    assert min(found[run]["endTime"] for run in others) < max(found[run]["endTime"] for run in backfill)
    assert (len(year.loaded(green.table)), len(year.loaded(yellow.table))) == (len([first, *ours]), len(theirs))
    assert {count for asset in year.assets for count in year.materialized(asset).values()} == {1}
    assert not any("is locked" in stack.log_file(name).read_text(errors="replace") for name in stack.services)
