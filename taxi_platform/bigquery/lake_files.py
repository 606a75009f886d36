"""LakeFiles: the objects of some months of one service, as an asset hands them to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

from taxi_platform.bigquery.lake_store import Lake, Log
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


@dataclass(frozen=True)
class LakeFiles:
    """Trip files in the lake by month, each looked for only when it is asked for.

    Attributes:
        lake: where they are.
        service: whose trips they hold.
        months: which months, in order.
        force_load: whether whoever stores them further shall do so even where they are already.
    """

    lake: Lake
    service: Service
    months: Sequence[Month]
    force_load: bool = False

    def find(self, month: Month, log: Log) -> TripFile:
        """One month's file, as the lake has it now.

        Raises:
            CloudNotReady, CloudRefused, CloudUnavailable: see ``Lake``.
        """
        return self.lake.find(self.service, month, log)
