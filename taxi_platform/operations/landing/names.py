"""What the name of a dropped file says. Pure."""

import re

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

_TRIPS = re.compile(rf"({'|'.join(SERVICES)})_tripdata_(\d{{4}}-\d{{2}})\.csv(?:\.gz)?", re.ASCII)
# What programs call a file that they have not written to its end.
_UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".tmp", ".swp", "~")


def is_unfinished(name: str) -> bool:
    """Whether the name says that the file is hidden or still being written, so that it is left alone."""
    return name.startswith(".") or name.endswith(_UNFINISHED)


def trips_in(name: str) -> tuple[Service, Month] | None:
    """The service and month of a file that is named as published, ``green_tripdata_2019-03.csv.gz`` or ``.csv``."""
    match = _TRIPS.fullmatch(name)
    if match is None:
        return None
    try:
        return SERVICES[match[1]], Month.parse(match[2])
    except ValueError:  # 2019-13
        return None


def numbered(name: str, number: int) -> str:
    """Another name for a second file of the same name: ``green_tripdata_2019-03.2.csv.gz``."""
    stem, dot, suffix = name.partition(".")
    return f"{stem}.{number}{dot}{suffix}"


def shown(name: str) -> str:
    """A name as it can be printed, whatever bytes it is made of."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
