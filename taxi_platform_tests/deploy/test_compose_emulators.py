"""The emulators of Compose's profile gcp, run as processes of this machine: set-up, upload and load."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.emulators.servers import Addresses
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.setup import problems, set_up
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support import compose
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.trip_texts import rows
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

DOTENV = {
    "GCP_PROJECT_ID": "my-trips-123456",
    "GCP_LOCATION": "US",
    "GCP_BUCKET_NAME": "my-trips-123456-lake",
    "GCP_DATASET": "zoomcamp",
    "STORAGE_EMULATOR_HOST": "http://storage:4443",
    "BIGQUERY_EMULATOR_HOST": "http://bigquery:9050",
}


@pytest.fixture
def stack(emulators: Addresses) -> Iterator[Stack]:
    """Start the two services and wait until they are healthy; skip the test if the emulators are not installed."""
    stack = Stack("gcp", **DOTENV)
    try:
        for name in ("storage", "bigquery"):
            stack.start(name)
        stack.wait_until_healthy("storage", "bigquery")
        yield stack
    finally:
        stack.__exit__(None, None, None)


def cloud_of(stack: Stack) -> Cloud:
    """Return the project that the code location's variables name."""
    found = stack.environment("code")
    names = (found[f"GCP_{name}"] for name in ("PROJECT_ID", "LOCATION", "BUCKET_NAME", "DATASET"))
    return Cloud(*names, "", found["STORAGE_EMULATOR_HOST"], found["BIGQUERY_EMULATOR_HOST"])


def test_a_month_goes_through_them_and_is_kept_in_their_volume(stack: Stack, tmp_path: Path) -> None:
    cloud = cloud_of(stack)
    assert set_up(cloud)["made_bucket"]
    assert list(problems(cloud)) == []
    assert {path.name for path in (stack.root / "google").iterdir()} >= {".cloudstorage", "bigquery"}
    loads = WarehouseLoads(cloud, Published(tmp_path))
    assert loads.load(rows(GREEN, 20)).rows == 20
    assert loads.one("select count(*) from `{}.green_tripdata`") == 20


def test_the_page_about_them_has_the_lines_of_dotenv_that_lead_to_them() -> None:
    page = (compose.FILE.parent / "docs/deploy.md").read_text(encoding="utf-8")
    assert all(f"{name}={value}\n" in page for name, value in DOTENV.items())
