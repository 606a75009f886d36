"""The resource that writes reports."""

import logging
from pathlib import Path

import dagster as dg
from pydantic import Field

from taxi_platform.orchestration.trip_io import PostgresResource
from taxi_platform.reports.writing import Reports

logger = logging.getLogger(__name__)


class ReportsResource(dg.ConfigurableResource["ReportsResource"]):
    """The database whose trips are reported, and the folder of the pages."""

    database: dg.ResourceDependency[PostgresResource]
    folder: str = Field(description="Where the pages are kept.")
    schedule_timezone: str = Field(description="The time zone in which the schedules tick.")

    def writer(self) -> Reports:
        """Return what writes the reports; it knows nothing of Dagster.

        Raises:
            UnsupportedServer: the embedded server's data folder belongs to another version.
            StorageFull: the embedded server cannot write.
            DatabaseUnreachable: the embedded server does not start.
        """
        return Reports(self.database.address(), Path(self.folder), self.schedule_timezone)
