"""What every source can do. How bytes are moved is each source's own; ``choose`` says which one a setting names."""

from pathlib import Path
from typing import Protocol

from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


class Source(Protocol):
    """A place that publishes trip files and the zone lookup, each under an address of its own.

    Attributes:
        asking_is_free: whether ``version`` always answers at once, without a network.
    """

    asking_is_free: bool

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file; it ends in ``.csv.gz`` or ``.csv``.

        Raises:
            NotPublished: the source can tell at once that it has no such file.
        """
        ...

    def zones(self) -> str:
        """Return the address of the zone lookup, a ``.csv``.

        Raises:
            NotPublished: the source can tell at once that it has none.
        """
        ...

    def version(self, address: str) -> SourceVersion:
        """Return what the source has under an address now, without moving its bytes.

        Raises:
            NotPublished: nothing is there.
            AccessDenied: something may be there, but the source does not let us have it.
            SourceUnreachable: there is no answer, however often the source is asked.
        """
        ...

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Bring the file's bytes to ``target``, which may hold the beginning that an interrupted fetch left there.

        Return the version that was brought. ``target`` is complete when this returns, and may be partial when it
        raises; nobody but the caller writes there in the meantime.

        Raises:
            NotPublished: nothing is there.
            AccessDenied: something may be there, but the source does not let us have it.
            SourceUnreachable: there is no answer, or it breaks off, however often the source is asked.
            DamagedFile: what the server sends is not what it announced.
            StorageFull: ``target`` cannot be written.
        """
        ...
