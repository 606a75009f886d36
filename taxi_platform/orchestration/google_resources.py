"""dagster-gcp's resources for users' own assets, with the project, the credentials and the emulators of the settings.

Importing Google's clients takes a second, so this module is imported when an asset uses one of them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagster_gcp import BigQueryResource, GCSResource

from taxi_platform.bigquery.clients import cloud_of
from taxi_platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import bigquery, storage


class PlatformBigQuery(BigQueryResource):
    """BigQuery as dagster-gcp hands it to assets, in the platform's project."""

    @contextmanager
    def get_client(self) -> "Generator[bigquery.Client]":
        """Yield the client that the loader uses."""
        yield cloud_of(settings().cloud).bigquery


class PlatformStorage(GCSResource):
    """Cloud Storage as dagster-gcp hands it to assets, in the platform's project."""

    def get_client(self) -> "storage.Client":
        """Return the client that uploads use."""
        return cloud_of(settings().cloud).storage
