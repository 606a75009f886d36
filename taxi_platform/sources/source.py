"""What every source can do, and which source a ``TAXI_SOURCE`` names. How bytes are moved is each source's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

Log = Callable[[str], None]
"""Where a source reports progress: a logger's ``info``, or ``print``."""


class Source(Protocol):
    """A place that publishes trip files and the zone lookup, each under an address of its own.

    Attributes:
        asking_is_free: whether ``version`` answers at once and always, without a network.
    """

    asking_is_free: bool

    def trips(self, service: Service, month: Month) -> str:
        """The address of a month's file; it ends in ``.csv.gz`` or ``.csv``.

        Raises:
            NotPublished: the source can tell at once that it has no such file.
        """
        ...

    def zones(self) -> str:
        """The address of the zone lookup, a ``.csv``.

        Raises:
            NotPublished: the source can tell at once that it has none.
        """
        ...

    def version(self, address: str) -> SourceVersion:
        """What the source has under an address now, without moving its bytes.

        Raises:
            NotPublished: nothing is there.
            AccessDenied: something may be there, and it is not for us.
            SourceUnreachable: no answer, however often asked.
        """
        ...

    def fetch(self, address: str, target: Path, log: Log) -> SourceVersion:
        """Bring the file's bytes to ``target``, which may hold the beginning that an interrupted fetch left there.

        Returns the version that was brought. ``target`` is complete when this returns, and may be partial when it
        raises; nobody but the caller writes there meanwhile.

        Raises:
            NotPublished, AccessDenied, SourceUnreachable: as ``version`` does.
            DamagedFile: what the server sends is not what it announced.
            StorageFull: ``target`` cannot be written.
        """
        ...
