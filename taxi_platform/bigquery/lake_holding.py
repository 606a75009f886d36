"""Whether the lake holds a file, asked by who wants to remove it from elsewhere."""

from taxi_platform.bigquery.lake_store import Lake, Log
from taxi_platform.errors import CloudNotReady
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.services import SERVICES

NOT_IN_LAKE = "its object in Cloud Storage is missing or another one"


def why_not_in(lake: Lake, file: TripFile, log: Log) -> str | None:
    """Why the lake does not hold this very file.

    Raises:
        CloudRefused, CloudUnavailable: as ``Lake`` does.
    """
    try:
        found = lake.find(SERVICES[file.service], file.month, log)
    except CloudNotReady:
        return NOT_IN_LAKE
    return None if found.sha256 == file.sha256 else NOT_IN_LAKE
