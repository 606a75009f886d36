"""The source ``sample``: made-up trips in the shape of the TLC's, of any month, without a network or an account.

What the trips are like belongs in ``trips`` and its neighbours, which need numpy and are imported only when a
file is made.
"""

import re
from pathlib import Path

from taxi_platform.errors import InvalidSetting, NotPublished, disk_errors
from taxi_platform.sources.http.addresses import ZONES_FILE
from taxi_platform.sources.partial import note_beside
from taxi_platform.sources.sample.volumes import FIRST_YEAR, GENERATION, LAST_YEAR, rows_of_month
from taxi_platform.sources.sample.zones import zone_lookup
from taxi_platform.sources.source import Log
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

MOST_SCALE = 10.0

_FILE = re.compile(rf".*/({'|'.join(SERVICES)})_tripdata_(20\d\d-(?:0[1-9]|1[0-2]))\.csv\.gz", re.ASCII)
_EXAMPLE = (SERVICES["green"], Month(2019, 3))


class SampleSource:
    """Makes any month from 2009 to 2099 of any service when it is asked for; the same request gets the same bytes.

    The uncompressed bytes are the same on every machine. The compressed ones are, too, where isal's version and the
    kind of processor are the same.

    Args:
        scale: how many trips to make for one of the real order: 1 makes about 7 million of a yellow month of 2019.

    Raises:
        InvalidSetting: ``scale`` is not above 0 and at most ``MOST_SCALE``.
    """

    asking_is_free = True

    def __init__(self, scale: float = 1.0) -> None:
        if not 0 < scale <= MOST_SCALE:
            raise InvalidSetting(
                f"TAXI_SOURCE=sample:{scale}",
                "the scale of the sample must be above 0 and at most 10",
                "Write sample for months of the real order, or for example sample:0.1 for a tenth of it.",
            )
        self.scale = float(scale)
        self._root = f"sample:{repr(self.scale).removesuffix('.0')}"

    def trips(self, service: Service, month: Month) -> str:
        """The address of a month's file, ``sample:0.1/green/green_tripdata_2019-03.csv.gz``.

        Raises:
            NotPublished: the month lies before 2009 or after 2099.
        """
        if not FIRST_YEAR <= month.year <= LAST_YEAR:
            raise NotPublished(
                service.file_name(month),
                f"the sample has months from {FIRST_YEAR} to {LAST_YEAR}",
                "Choose TAXI_FIRST_MONTH and TAXI_LAST_MONTH among them.",
            )
        return f"{self._root}/{service.name}/{service.file_name(month)}.gz"

    def zones(self) -> str:
        """The address of the zone lookup, which is the same at every scale."""
        return f"{self._root}/{ZONES_FILE}"

    def version(self, address: str) -> SourceVersion:
        """The version of the file under an address, which changes with the generator; its size is not known.

        Raises:
            NotPublished: the address is not one of this source's.
        """
        self._file(address)
        return SourceVersion(etag=f"{address}#{GENERATION}", modified=None, bytes=None)

    def fetch(self, address: str, target: Path, log: Log) -> SourceVersion:
        """Make the file under an address and write it to ``target``, over whatever is there.

        Raises:
            NotPublished: the address is not one of this source's.
            StorageFull: ``target`` cannot be written.
        """
        version = self.version(address)
        file = self._file(address)
        with disk_errors(target):
            note_beside(target).unlink(missing_ok=True)  # of a download that was interrupted
        if file is None:
            with disk_errors(target):
                target.write_text(zone_lookup(), encoding="utf-8", newline="")
            return version
        service, month = file
        rows = rows_of_month(service, month, self.scale)
        log(f"{service.file_name(month)}: making a sample of {rows:,} trips")
        from taxi_platform.sources.sample.file import write_month  # needs numpy, which takes long to import

        write_month(service, month, rows, target)
        return version

    def _file(self, address: str) -> tuple[Service, Month] | None:
        """The service and month of a trip file's address, or None for the zone lookup's."""
        if address == self.zones():
            return None
        if match := _FILE.fullmatch(address):
            service, month = SERVICES[match[1]], Month.parse(match[2])
            if address == self.trips(service, month):
                return service, month
        raise NotPublished(address, "the sample has no such file", f"Its addresses look like {self.trips(*_EXAMPLE)}.")
