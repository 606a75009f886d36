"""TripFiles: the raw files of some months of one service, as an asset hands them to the next."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal

from taxi_platform.sources.cache import Log, RawFiles
from taxi_platform.trips.files import Transfer
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

Way = Literal["kept", "refreshed", "forced"]


@dataclass(frozen=True)
class TripFiles:
    """Trip files by month, each brought only when it is asked for, so that a bad month does not stop the others.

    Attributes:
        store: where they are kept, or fetched to.
        service: whose trips they hold.
        months: which months, in order.
        way: whether a kept file will do, or the source is asked for a newer one, or it is fetched in any case.
        refresh: months whose source is asked in any case.
        force_load: whether whoever stores them further shall do so even where they are already.
    """

    store: RawFiles
    service: Service
    months: Sequence[Month]
    way: Way = "kept"
    refresh: Container[Month] = ()
    force_load: bool = False

    def fetch(self, month: Month, log: Log) -> Transfer:
        """One month's file, and whether it was brought just now.

        Raises:
            NotPublished, AccessDenied, SourceUnreachable, DamagedFile, SchemaMismatch, StorageFull: see ``RawFiles``.
        """
        if self.way == "kept" and month not in self.refresh:
            return self.store.get(self.service, month, log)
        return self.store.refresh(self.service, month, log, force=self.way == "forced")
