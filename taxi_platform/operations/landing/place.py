"""What every landing place can do, be it a folder or a prefix of a bucket."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from taxi_platform.trips.files import SourceVersion

Where = Literal["done", "failed"]


@dataclass(frozen=True)
class Dropped:
    """One file as it lies in the landing place now.

    Attributes:
        name: its name.
        version: changes whenever anybody writes the file, or puts one of the same name there, even the same one again.
        is_complete: whether the place can tell that it is written to its end. Where it cannot, a file is complete that
            has the same version at two looks.
    """

    name: str
    version: str
    is_complete: bool


class LandingPlace(Protocol):
    """A place where files are dropped, with two rooms for those that are dealt with, ``done`` and ``failed``."""

    def address(self, name: str) -> str:
        """Where a file lies, as it is recorded of what is made from it."""
        ...

    def look(self) -> list[Dropped]:
        """The files that lie there, without those in the two rooms; the earliest first.

        Raises:
            InvalidSetting, AccessDenied, SourceUnreachable: there is no such place, or it cannot be read.
        """
        ...

    def fetch(self, name: str, version: str, target: Path) -> SourceVersion:
        """Copy one version of a file to ``target``.

        Raises:
            NotPublished: the file is not there any more.
            DamagedFile: it is another version now, or became one while it was copied.
            AccessDenied, SourceUnreachable: it cannot be read.
            StorageFull: ``target`` cannot be written.
        """
        ...

    def move(self, dropped: Dropped, where: Where, reason: str | None = None) -> str:
        """Move a file into one of the rooms, and return the name that it has there.

        A file of that name that is there already stays. The reason is written beside it first, as
        ``<name>.reason.txt``: whatever happens in between, no file lies in a room without one.

        Raises:
            TaxiError: it cannot be moved; it is still where it was.
        """
        ...
