"""The resource that hands out the landing place which the settings name."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from taxi_platform.errors import InvalidSetting
from taxi_platform.operations.landing.folder import LandingFolder
from taxi_platform.operations.landing.place import LandingPlace
from taxi_platform.operations.landing.source import DroppedFile
from taxi_platform.orchestration.cloud_io import CloudResource
from taxi_platform.settings import PROJECT

BUCKET = "gs://"


class LandingResource(dg.ConfigurableResource[LandingPlace]):
    """Where trip files are dropped by hand."""

    landing: str = Field(default="", description="A folder or gs://bucket/prefix, as TAXI_LANDING.")
    own_folder: str = Field(description="The folder that serves when no other is named; it is made when it is absent.")
    google: dg.ResourceDependency[CloudResource]

    def file(self, name: str, version: str) -> DroppedFile:
        """A dropped file as a source of its own.

        Raises:
            InvalidSetting, CloudNotConfigured: as ``place`` does.
        """
        return DroppedFile(self.place(), name, version)

    def place(self) -> LandingPlace:
        """The landing place, as a domain object that knows nothing of Dagster.

        Raises:
            InvalidSetting: the setting names no place that there can be.
            CloudNotConfigured: it names a bucket, and Google Cloud's settings are missing.
        """
        if not self.landing:
            return LandingFolder(Path(self.own_folder), own=True)
        if self.landing.startswith(BUCKET):
            from taxi_platform.operations.landing.bucket import LandingBucket

            return LandingBucket(self.google.cloud().storage, self.landing)
        if "://" in self.landing:
            raise InvalidSetting(
                f"TAXI_LANDING={self.landing}",
                "there is no such kind of place",
                "Name a folder, or gs://bucket/prefix.",
            )
        return LandingFolder((PROJECT / Path(self.landing).expanduser()).absolute())
