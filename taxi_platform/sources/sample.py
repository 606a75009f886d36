"""The source ``sample``: made-up trips of any month, without a network or an account.

What the trips are like belongs in ``sample_trips``, which needs numpy and is only imported when a file is made.
"""

import logging
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from taxi_platform.errors import InvalidSetting, NotPublished, disk_errors
from taxi_platform.sources.http import sidecar_of
from taxi_platform.trips import zones as lookup
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SMALLEST, Service

logger = logging.getLogger(__name__)

GENERATION = 2  # raise it with every change that makes any file another one: it is part of each file's version
FIRST_YEAR, LAST_YEAR = 2009, 2099
MOST_SCALE = 10.0
FEWEST_ROWS = 100
SEASON = (98, 96, 106, 103, 104, 99, 94, 91, 95, 104, 100, 101)  # per cent of the year's typical month

AIRPORTS = (132, 138)
ZONES = Path(__file__).with_name("sample_zones.csv")  # 265 made-up names, of which the last two are unknown places


class SampleSource:
    """Makes any month from 2009 to 2099 of any service when it is asked for; the same request gets the same bytes.

    The uncompressed bytes are the same on every machine. The compressed ones are, too, where isal's version and the
    kind of processor are the same. At scale 1, a yellow month of 2019 has about 7 million trips.

    Raises:
        InvalidSetting: ``scale`` is not above 0 and at most ``MOST_SCALE``.
    """

    asking_is_free = True

    def __init__(self, scale: float = 1.0) -> None:
        if not 0 < scale <= MOST_SCALE:
            raise InvalidSetting(
                f"TAXI_SOURCE=sample:{scale}",
                "the scale of the sample must be above 0 and at most 10",
                "Write sample for months of real size, or for example sample:0.1 for a tenth of it.",
            )
        self.scale = float(scale)
        self._root = f"sample:{repr(self.scale).removesuffix('.0')}"

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file, ``sample:0.1/green/green_tripdata_2019-03.csv.gz``."""
        if not FIRST_YEAR <= month.year <= LAST_YEAR:
            raise NotPublished(
                service.file_name(month),
                f"the sample has months from {FIRST_YEAR} to {LAST_YEAR}",
                "Choose TAXI_FIRST_MONTH and TAXI_LAST_MONTH among them.",
            )
        return f"{self._root}/{service.name}/{service.file_name(month)}.gz"

    def zones(self) -> str:
        """Return the address of the zone lookup, which is the same at every scale."""
        return f"{self._root}/{lookup.FILE}"

    def version(self, address: str) -> SourceVersion:
        """Return the version of a file, which changes with the generator; its size is not known."""
        self._file(address)
        return SourceVersion(etag=f"{address}#{GENERATION}", modified=None, bytes=None)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Make the file under an address and write it to ``target``, over whatever is there."""
        version = self.version(address)
        file = self._file(address)
        with disk_errors(target):
            sidecar_of(target).unlink(missing_ok=True)
            if file is None:
                target.write_bytes(ZONES.read_bytes())
                return version
        service, month = file
        rows = rows_of_month(service, month, self.scale)
        logger.debug("%s: making a sample of %s trips", service.file_name(month), f"{rows:,}")
        from taxi_platform.sources.sample_trips import write_month  # needs numpy, which takes long to import

        write_month(service, month, rows, target)
        return version

    def _file(self, address: str) -> tuple[Service, Month] | None:
        """Return the service and month of a trip file's address, or None for the zone lookup's."""
        if address == self.zones():
            return None
        file = parse_file_name(address.rpartition("/")[2])
        if file and FIRST_YEAR <= file[1].year <= LAST_YEAR and address == self.trips(*file):
            return file
        example = self.trips(SMALLEST, Month(2019, 3))
        raise NotPublished(address, "the sample has no such file", f"Its addresses look like {example}.")


def rows_of_month(service: Service, month: Month, scale: float) -> int:
    """Return the rows of a month's file at a scale: 1 is real size; never fewer than ``FEWEST_ROWS``."""
    typical = figure_at(service.sample.thousands, month) * 10 * SEASON[month.month - 1]
    return max(FEWEST_ROWS, round(typical * scale))


def figure_at(steps: Sequence[tuple[str, int]], month: Month) -> int:
    """Return the figure of a month, from a list of figures that are each valid from a named month on."""
    return steps[bisect_right(steps, str(month), key=lambda step: step[0]) - 1][1]
