"""The TLC's own Parquet files, and the default source, which takes from them what the course's release lacks."""

from pathlib import Path

from taxi_platform.sources.answers import NOT_PUBLISHED
from taxi_platform.sources.http import HttpSource
from taxi_platform.trips import zones
from taxi_platform.trips.files import SourceVersion, edition_of
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

TLC = "https://d37ci6vzurychx.cloudfront.net/trip-data/{service}_tripdata_{month}.parquet"


class TlcSource(HttpSource):
    """The files on the TLC's server, which answers 403 for every month that it has not published (yet)."""

    not_published = (403, *NOT_PUBLISHED)

    def zones(self) -> str:
        """Return the address of the zone lookup, which is in a folder beside that of the trips."""
        return f"{self.template.rsplit('/', 2)[0]}/misc/{zones.FILE}"


class CourseThenTlc:
    """The course's release as far as it goes, by the contracts, and the TLC's files of all other months.

    A month has one edition, whichever was published: it is never looked for in both places.
    """

    asking_is_free = False

    def __init__(self, course: HttpSource, tlc: HttpSource) -> None:
        self._course = course
        self._tlc = tlc

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file."""
        is_released = service.released_until is not None and month <= service.released_until
        return (self._course if is_released else self._tlc).trips(service, month)

    def zones(self) -> str:
        """Return the address of the course's zone lookup. The TLC's names the unknown zones 264 and 265 otherwise."""
        return self._course.zones()

    def version(self, address: str) -> SourceVersion:
        """Return what is under an address now, see ``Source.version``."""
        return self._of(address).version(address)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Download a file to ``target``, see ``Source.fetch``."""
        return self._of(address).fetch(address, target)

    def _of(self, address: str) -> HttpSource:
        return self._tlc if edition_of(address) == "parquet" else self._course
