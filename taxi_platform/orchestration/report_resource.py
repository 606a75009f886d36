"""The resource that reports are written with."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from taxi_platform.orchestration.postgres_io import PostgresResource
from taxi_platform.reports.writing import Desk, Log


class ReportsResource(dg.ConfigurableResource["ReportsResource"]):
    """The database that is asked, and the folder of the pages."""

    database: dg.ResourceDependency[PostgresResource]
    folder: str = Field(description="Where the pages are kept.")
    schedule_timezone: str = Field(description="The time zone in which the schedules tick.")

    def desk(self, log: Log) -> Desk:
        """Where reports are written, as a domain object that knows nothing of Dagster.

        Raises:
            UnsupportedServer, StorageFull, DatabaseUnreachable: the embedded server does not start.
        """
        return Desk(self.database.address(log), Path(self.folder), self.schedule_timezone, log)
