"""Emulators of Google Cloud, shared by all tests of a session, with a project for each test.

    def test_...(cloud: Cloud) -> None:          # neither bucket nor dataset exists
    def test_...(ready_cloud: Cloud) -> None:    # bucket and dataset exist

The fixtures are in ``conftest.py``. If the emulators are not installed, these tests are skipped.
"""

from pathlib import Path
from uuid import uuid4

import pytest

from deploy.emulators.servers import Addresses, Emulators
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.errors import CloudNotReady

LOCATION = "US"  # where the emulator of Cloud Storage puts every bucket, whatever location is requested


def start_or_skip(folder: Path) -> Addresses:
    """Return the addresses of the emulators of a folder; the first caller starts them."""
    try:
        return Emulators(folder).start()
    except CloudNotReady as absent:
        pytest.skip(str(absent))


def cloud_of_its_own(addresses: Addresses) -> Cloud:
    """Return a project that no other test uses, with names for a bucket and a dataset."""
    name = uuid4().hex[:12]
    names = (f"test-{name}", LOCATION, f"trips-{name}", f"trips_{name}")
    return Cloud(*names, storage_host=addresses.storage, bigquery_host=addresses.bigquery)


def make_ready(cloud: Cloud) -> None:
    """Create the bucket and the dataset with Google's clients, without the platform's code."""
    from google.cloud import bigquery

    cloud.storage.create_bucket(cloud.bucket, location=cloud.location)
    dataset = bigquery.Dataset(f"{cloud.project}.{cloud.dataset}")
    dataset.location = cloud.location
    cloud.bigquery.create_dataset(dataset)
