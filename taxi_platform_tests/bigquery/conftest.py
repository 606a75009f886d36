"""Fixtures for Google Cloud: a simulated project, warehouses on the emulators, and a folder of published files."""

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
    """Capture what the platform logs at level INFO and above."""
    caplog.set_level(logging.INFO, "taxi_platform")
    return caplog


@pytest.fixture
def nothing() -> Iterator[GoogleServer]:
    """Start a simulated Google whose project has neither bucket nor dataset."""
    with GoogleServer() as server:
        yield server


@pytest.fixture
def google(nothing: GoogleServer) -> GoogleServer:
    """Return the simulated Google after adding the bucket and the dataset."""
    nothing.add_bucket("trips-123-lake", "EU")
    nothing.add_dataset("zoomcamp", "EU")
    return nothing


@pytest.fixture
def google_cloud(nothing: GoogleServer) -> Cloud:
    """Return the cloud whose requests go to the simulated Google."""
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
    """Return an empty folder, in which a test publishes trip files."""
    return Published(tmp_path)


@pytest.fixture
def loads(ready_cloud: Cloud, published: Published) -> WarehouseLoads:
    """Return a warehouse on the emulators, with its own bucket and dataset."""
    return WarehouseLoads(ready_cloud, published)


@pytest.fixture
def front(emulators: Addresses) -> Iterator[JobServer]:
    """Start a server that forwards requests to the BigQuery emulator."""
    with JobServer(emulators.bigquery) as server:
        yield server


@pytest.fixture
def behind(front: JobServer, ready_cloud: Cloud, published: Published, no_waits: list[float]) -> WarehouseLoads:
    """Return a warehouse whose BigQuery requests go through that server; jobs are started again without a wait."""
    return WarehouseLoads(replace(ready_cloud, bigquery_host=front.url), published)
