"""A Google of the test's own, with a bucket and a dataset, and a folder of published trip files."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.emulators.servers import Addresses
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.retries import RetryPolicy
from taxi_platform_tests.support.google_server import GoogleServer
from taxi_platform_tests.support.job_server import JobServer
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the platform logs, from progress messages on."""
    caplog.set_level(logging.INFO, "taxi_platform")
    return caplog


@pytest.fixture
def nothing() -> Iterator[GoogleServer]:
    """A project in which there is nothing yet."""
    with GoogleServer() as server:
        yield server


@pytest.fixture
def google(nothing: GoogleServer) -> GoogleServer:
    """A project that has the bucket and the dataset."""
    nothing.add_bucket("trips-123-lake", "EU")
    nothing.add_dataset("zoomcamp", "EU")
    return nothing


@pytest.fixture
def google_cloud(nothing: GoogleServer) -> Cloud:
    """The cloud that this test's Google is."""
    return Cloud(
        "trips-123",
        "EU",
        "trips-123-lake",
        "zoomcamp",
        storage_host=nothing.url,
        bigquery_host=nothing.url,
        retries=RetryPolicy(first_wait=0.01, longest_wait=0.02, total=0.4),
        timeouts=(5.0, 5.0),
    )


@pytest.fixture
def published(tmp_path: Path) -> Published:
    """A folder that publishes nothing yet."""
    return Published(tmp_path)


@pytest.fixture
def loads(ready_cloud: Cloud, published: Published) -> WarehouseLoads:
    """A warehouse of the test's own on the emulators."""
    return WarehouseLoads(ready_cloud, published)


@pytest.fixture
def front(emulators: Addresses) -> Iterator[JobServer]:
    """A server that passes on to the emulator of BigQuery."""
    with JobServer(emulators.bigquery) as server:
        yield server


@pytest.fixture
def behind(front: JobServer, ready_cloud: Cloud, published: Published, no_waits: list[float]) -> WarehouseLoads:
    """A dataset of the test's own behind that server; jobs are started again without a wait."""
    return WarehouseLoads(replace(ready_cloud, bigquery_host=front.url), published)
