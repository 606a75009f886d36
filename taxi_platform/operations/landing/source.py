"""One dropped file as a source, so that it is fetched, verified and kept as every other file is."""

from dataclasses import dataclass
from pathlib import Path

from taxi_platform.errors import NotPublished
from taxi_platform.operations.landing.names import trips_in
from taxi_platform.operations.landing.place import LandingPlace
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


@dataclass(frozen=True)
class DroppedFile:
    """A source that has one file.

    Attributes:
        place: where it was dropped.
        name: its name there.
        dropped: which version of it is meant.
    """

    place: LandingPlace
    name: str
    dropped: str
    asking_is_free = True

    def trips(self, service: Service, month: Month) -> str:
        """The file's address.

        Raises:
            NotPublished: its name says that it is another month's.
        """
        if trips_in(self.name) != (service, month):
            raise NotPublished(self.name, f"it is not the file of {service.name} {month}", "Name the file that is.")
        return self.place.address(self.name)

    def zones(self) -> str:
        """Nobody drops the zone lookup."""
        raise NotPublished("taxi_zone_lookup.csv", "it does not come by the landing place", "Ask the source for it.")

    def version(self, address: str) -> SourceVersion:
        """The version that is meant."""
        return SourceVersion(self.dropped, None, None)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Copy the file to ``target``, as ``Source`` and ``LandingPlace`` promise."""
        return self.place.fetch(self.name, self.dropped, target)
