"""RawFile, a verified file in the folder of raw files, and how it came to be there."""

from dataclasses import dataclass
from pathlib import Path

from taxi_platform.trips.reading import TripFile


@dataclass(frozen=True, kw_only=True)
class RawFile(TripFile):
    """A trip file on disk.

    Attributes:
        path: where it lies; absolute.
        landed: whether it came by the landing place, so that it stays until the source's is fetched by force.
    """

    path: Path
    landed: bool = False

    @property
    def uri(self) -> str:
        """Where it lies, ``file:///…``."""
        return self.path.as_uri()


@dataclass(frozen=True)
class Fetched:
    """A raw file and how it came to be there.

    Attributes:
        file: the verified file.
        is_new: whether its bytes were brought from the source just now.
        seconds: how long that took.
    """

    file: RawFile
    is_new: bool
    seconds: float
