"""The resource that provides the landing place of the settings."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from taxi_platform.errors import InvalidSetting
from taxi_platform.operations.landing.places import LandingBucket, LandingFolder, LandingPlace
from taxi_platform.operations.landing.source import DroppedFileSource
from taxi_platform.orchestration.cloud_io import CloudResource
from taxi_platform.settings import PROJECT


class LandingResource(dg.ConfigurableResource[LandingPlace]):
    """Where trip files are dropped by hand."""

    landing: str = Field(default="", description="A folder or gs://bucket/prefix, as TAXI_LANDING.")
    own_folder: str = Field(description="The folder to use if no other is named; it is created if it does not exist.")
    google: dg.ResourceDependency[CloudResource]

    def file(self, name: str, version: str) -> DroppedFileSource:
        """Return a dropped file as a source of its own.

        Raises:
            InvalidSetting: the setting is not a folder or ``gs://bucket/prefix``.
            CloudNotConfigured: the setting is a bucket, and Google Cloud's settings are missing.
        """
        return DroppedFileSource(self.place(), name, version)

    def place(self) -> LandingPlace:
        """Return the landing place.

        Raises:
            InvalidSetting: the setting is not a folder or ``gs://bucket/prefix``.
            CloudNotConfigured: the setting is a bucket, and Google Cloud's settings are missing.
        """
        if not self.landing:
            return LandingFolder(Path(self.own_folder), create=True)
        if self.landing.startswith("gs://"):
            return LandingBucket(self.google.cloud().storage, self.landing)
        if "://" in self.landing:
            raise InvalidSetting(
                f"TAXI_LANDING={self.landing}",
                "this kind of address is not supported",
                "Name a folder, or gs://bucket/prefix.",
            )
        return LandingFolder((PROJECT / Path(self.landing).expanduser()).absolute())
