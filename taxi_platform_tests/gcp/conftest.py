"""Fixtures that run the tests on the emulators and, with ``make test-gcp``, in a real project; its results and cost.

``make record-gcp`` also writes Google's responses to ``support/google_recorded/``.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pytest

from taxi_platform.bigquery.clients import Cloud, cloud_of
from taxi_platform.bigquery.setup import set_up
from taxi_platform.ledger.event_metadata import DOLLARS_PER_TIB
from taxi_platform.settings import settings
from taxi_platform_tests.support.emulators import cloud_of_its_own
from taxi_platform_tests.support.recordings import BUCKET, DATASET, FOLDER, PROJECT, Recorder

GOOGLE = pytest.param("google", marks=pytest.mark.gcp)
only_google = pytest.mark.parametrize("made", [GOOGLE], indirect=True)
"""For tests of what the emulators cannot do."""

_COST = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Yield the project of the settings with names of a new bucket and dataset, and always remove both."""
    settings.cache_clear()
    cloud = cloud_of(settings().cloud)
    assert not cloud.storage_host, "unset STORAGE_EMULATOR_HOST and BIGQUERY_EMULATOR_HOST: this is for a real project"
    name = uuid4().hex[:8]
    mine = replace(
        cloud, bucket=f"{cloud.bucket[:50]}-test-{name}", dataset=f"{cloud.dataset}_test_{name}", run=f"test-{name}"
    )
    started = datetime.now(timezone.utc)
    with ExitStack() as stack:
        stack.callback(remove, mine)
        stack.callback(lambda: request.config.stash.setdefault(_COST, cost(mine, started)))
        yield mine


def remove(cloud: Cloud) -> None:
    """Remove the bucket and the dataset, each even if the other one cannot be removed."""
    with ExitStack() as stack:
        stack.callback(
            cloud.bigquery.delete_dataset, f"{cloud.project}.{cloud.dataset}", delete_contents=True, not_found_ok=True
        )
        if bucket := cloud.storage.lookup_bucket(cloud.bucket):
            bucket.delete(force=True)


def remove_tables(cloud: Cloud) -> None:
    """Delete the tables that another test has left in the dataset."""
    for table in cloud.bigquery.list_tables(f"{cloud.project}.{cloud.dataset}"):
        cloud.bigquery.delete_table(table.reference)


def cost(cloud: Cloud, since: datetime) -> str:
    """Return the number, billed bytes and cost of the platform's jobs since a time, dbt's included."""
    found: list[Any] = [
        job
        for job in cloud.bigquery.list_jobs(min_creation_time=since)
        if (job.labels or {}).get("app") == "taxi_platform"
    ]
    billed = sum(getattr(job, "total_bytes_billed", None) or 0 for job in found)
    return f"{len(found)} jobs, {billed:,} bytes billed: ${billed / 2**40 * DOLLARS_PER_TIB:.4f}, free tier not counted"


@pytest.fixture(scope="module", params=["emulators", GOOGLE])
def made(request: pytest.FixtureRequest) -> Cloud:
    """Return a project whose bucket and dataset the platform has created, on the emulators or at Google."""
    if request.param == "google":
        cloud: Cloud = request.getfixturevalue("project")
    else:
        cloud = replace(cloud_of_its_own(request.getfixturevalue("emulators")), run="test")
    set_up(cloud)
    return cloud


@pytest.fixture(scope="module")
def recorder(made: Cloud) -> Recorder:
    """Return the recorder of Google's responses, with which the tests' own server answers."""
    chosen = settings().cloud
    own = {chosen.project_id: PROJECT, chosen.bucket_name: BUCKET, chosen.dataset: DATASET} if chosen else {}
    names = {**own, made.project: PROJECT, made.bucket: BUCKET, made.dataset: DATASET}
    wanted = os.environ.get("TAXI_RECORD_GOOGLE") and not made.bigquery_host
    recorder = Recorder(names, FOLDER if wanted else None)
    recorder.listen(made.storage, made.bigquery)
    return recorder


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the outcome of every test in the real project, and their cost."""
    stats: dict[str, list[Any]] = terminalreporter.stats
    of_google = {
        outcome: [report for report in stats.get(outcome, []) if "google" in report.nodeid and "/gcp/" in report.nodeid]
        for outcome in ("passed", "failed", "error", "skipped")
    }
    if not any(of_google.values()):
        return
    terminalreporter.section("Google Cloud, the real one")
    for outcome, reports in of_google.items():
        for report in reports:
            name = report.nodeid.rpartition("::test_")[2].replace("_", " ")
            terminalreporter.line(f"{'proved' if outcome == 'passed' else outcome}: {name}")
    terminalreporter.line(f"cost: {config.stash.get(_COST, 'unknown')}")
