"""A dropped file as a source, so that it is fetched, verified and cached like every other file."""

from dataclasses import dataclass
from pathlib import Path

from taxi_platform.errors import NotPublished, disk_errors
from taxi_platform.operations.landing.places import LandingPlace
from taxi_platform.sources.http import sidecar_of
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service


def parse_name(name: str) -> tuple[Service, Month] | None:
    """Return the service and month of a file that is named as published, ``.csv.gz`` or ``.csv``."""
    service, month = parse_file_name(name) or ("", None)
    return (SERVICES[service], month) if month and service in SERVICES else None


@dataclass(frozen=True)
class DroppedFileSource:
    """A source that has one version of one dropped file."""

    place: LandingPlace
    name: str
    dropped_version: str
    asking_is_free = True

    def trips(self, service: Service, month: Month) -> str:
        """Return the file's address; raise ``NotPublished`` if its name says that it belongs to another month."""
        if parse_name(self.name) != (service, month):
            raise NotPublished(
                self.name, f"it is not the file of {service.name} {month}", "Name the file of that month."
            )
        return self.place.address(self.name)

    def zones(self) -> str:
        """Raise ``NotPublished``, because the zone lookup is not dropped by hand."""
        raise NotPublished("taxi_zone_lookup.csv", "it is not dropped by hand", "Ask the source for it.")

    def version(self, address: str) -> SourceVersion:
        """Return the version to load."""
        return SourceVersion(self.dropped_version, None, None)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Copy the file to ``target``, as ``Source`` promises."""
        with disk_errors(target):
            sidecar_of(target).unlink(missing_ok=True)  # of an interrupted download, which is not continued
        return self.place.fetch(self.name, self.dropped_version, target)
