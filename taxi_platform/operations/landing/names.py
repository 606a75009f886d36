"""What the name of a dropped file says. Pure."""

from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

# What programs call a file that they have not written to its end.
_UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".tmp", ".swp", "~")


def is_unfinished(name: str) -> bool:
    """Whether the name says that the file is hidden or still being written, so that it is left alone."""
    return name.startswith(".") or name.endswith(_UNFINISHED)


def trips_in(name: str) -> tuple[Service, Month] | None:
    """The service and month of a file that is named as published, ``green_tripdata_2019-03.csv.gz`` or ``.csv``."""
    service, month = parse_file_name(name) or ("", None)
    return (SERVICES[service], month) if month and service in SERVICES else None


def numbered(name: str, number: int) -> str:
    """Another name for a second file of the same name: ``green_tripdata_2019-03.2.csv.gz``."""
    stem, dot, suffix = name.partition(".")
    return f"{stem}.{number}{dot}{suffix}"


def shown(name: str) -> str:
    """A name as it can be printed, whatever bytes it is made of."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
