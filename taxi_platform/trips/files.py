"""TripFile, the reference to one month's file, here or in a bucket, that assets pass to each other.

Where files come from is decided in ``sources``, how they are read in ``reading``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from taxi_platform.trips.months import Month

Edition = Literal["csv", "parquet"]
"""How a month is published. The course's CSV files and the TLC's Parquet files of one month differ in their rows."""


def edition_of(address: str) -> Edition:
    """Return the edition of a file, by its name, path or address."""
    return "parquet" if address.endswith(".parquet") else "csv"


@dataclass(frozen=True)
class SourceVersion:
    """What a source reports about one state of a file: its entity tag, the time of its last change, and its size.

    A file that changed has another version. A source that is not a server makes up an entity tag.
    """

    etag: str | None
    modified: str | None
    bytes: int | None

    @property
    def is_known(self) -> bool:
        """Whether the source reports anything that would change together with the file."""
        return self.etag is not None or self.modified is not None


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file that was read from its first byte to its last.

    Attributes:
        bytes, sha256: size and checksum of the file as published.
        csv_bytes: the size uncompressed; of a Parquet file that of its columns.
        rows: the records after the header, good or bad.
        regular: whether no row needs the parser; None if only an older parser read the file, or if it is Parquet,
            whose rows the loader tests.
    """

    bytes: int
    csv_bytes: int
    sha256: str
    rows: int
    regular: bool | None = None


@dataclass(frozen=True)
class ObjectFacts:
    """What Cloud Storage reports about an object: every upload changes its generation; crc32c is in base64."""

    bucket: str
    name: str
    generation: int
    crc32c: str
    storage_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class TripFile:
    """The file of one service and month, byte for byte as it was published, in one place.

    Attributes:
        month: the month to which every row of the file belongs, whenever the trip began.
        source: the address or path that the file came from.
        uri: where it is: ``file:///…`` or ``gs://…``.
        version: what the source reported when the file was fetched.
        facts: what was verified when the file was read to its end.
        landed: whether somebody dropped it into the landing place. It then stays until a forced fetch.
        stored: its object, if it is a file in Cloud Storage.
    """

    service: str
    month: Month
    source: str
    uri: str
    version: SourceVersion
    facts: FileFacts
    landed: bool = False
    stored: ObjectFacts | None = None

    @property
    def name(self) -> str:
        """The file's name, for example ``green_tripdata_2019-03.csv.gz``."""
        return self.uri.rpartition("/")[2]

    @property
    def edition(self) -> Edition:
        """How the month was published."""
        return edition_of(self.source)

    @property
    def path(self) -> Path:
        """The absolute path of a file on this machine."""
        parts = urlsplit(self.uri)
        if parts.scheme != "file":
            raise ValueError(f"{self.uri} is not a file on this machine")
        return Path(url2pathname(parts.path))

    @property
    def object(self) -> ObjectFacts:
        """The object that a file in Cloud Storage is."""
        if self.stored is None:
            raise ValueError(f"{self.uri} is not in Cloud Storage")
        return self.stored

    @property
    def bytes(self) -> int:
        """The verified size as published."""
        return self.facts.bytes

    @property
    def csv_bytes(self) -> int:
        """The verified size uncompressed."""
        return self.facts.csv_bytes

    @property
    def sha256(self) -> str:
        """The verified checksum of the file as published."""
        return self.facts.sha256

    @property
    def rows(self) -> int:
        """The verified number of records, good or bad."""
        return self.facts.rows


@dataclass(frozen=True)
class Transfer:
    """The outcome of a fetch or an upload: the verified file where it is now, and whether bytes were moved."""

    file: TripFile
    is_new: bool
    seconds: float
