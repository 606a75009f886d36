"""Where trip files are dropped: a folder, or a prefix of a bucket in Cloud Storage. A dropped file is a source.

What happens to each file is decided in ``tick``; both places behave alike. fsspec cannot replace the two classes:
it reads ``gs://`` only with gcsfs, and has no operation that is bound to one version of a file.
"""

import os
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from taxi_platform.bigquery.clients import google_retry
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.errors import CloudNotReady, DamagedFile, InvalidSetting, NotPublished, disk_errors
from taxi_platform.retries import METADATA_OF_GOOGLE
from taxi_platform.sources.folder import CHUNK, reading_errors
from taxi_platform.sources.http import sidecar_of
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from google.cloud import storage

Subfolder = Literal["done", "failed"]

REASON = ".reason.txt"
QUIET_SECONDS = 60.0  # a file that was last written longer ago is complete
TIMEOUTS = (5.0, 10.0)  # seconds to connect and between two parts of an answer; Dagster ends a tick after 60 seconds
_OBJECT_FIELDS = "items(name,generation,updated),prefixes,nextPageToken"
# People who may write to the landing folder must not make the platform read or write elsewhere, so no link is followed.
# Without O_NONBLOCK, opening a pipe would wait for a writer.
_READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True)
class DroppedFile:
    """One version of a file in the landing place."""

    name: str
    version: str  # changes whenever the file is written or replaced, even by the same bytes
    is_complete: bool  # whether the place can tell that nobody is writing the file any more


@dataclass(frozen=True)
class LandingFolder:
    """A folder on this machine or on a network mount, in which links are ignored."""

    folder: Path

    def address(self, name: str) -> str:
        """Return the file's path, which is recorded as the source of what is loaded from it."""
        return str(self.folder / name)

    def files(self) -> list[DroppedFile]:
        """Return the files that are there, without those in subfolders; the one written first comes first."""
        found: dict[str, os.stat_result] = {}
        with self._reading(self.folder), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # removed since the folder was listed
                    if entry.is_file(follow_symlinks=False):
                        found[entry.name] = entry.stat(follow_symlinks=False)
        # Renaming keeps the time of the last write, and programs that copy it set it at the end.
        quiet_since = time.time() - QUIET_SECONDS
        return [
            DroppedFile(name, _version(stat), is_complete=stat.st_mtime <= quiet_since)
            for name, stat in sorted(found.items(), key=lambda item: (item[1].st_mtime_ns, item[0]))
        ]

    def fetch(self, name: str, version: str, target: Path) -> SourceVersion:
        """Copy this version of a file, or raise ``NotPublished`` or ``DamagedFile`` if it is gone or another one."""
        path = self.folder / name
        with (
            disk_errors(target),
            target.open("wb") as copy,
            self._reading(path),
            os.fdopen(os.open(path, _READ_FILE), "rb") as source,
        ):
            while chunk := source.read(CHUNK):
                with disk_errors(target):
                    copy.write(chunk)
            stat = os.fstat(source.fileno())
        if _version(stat) != version:
            raise _changed(name, str(path))
        modified = datetime.fromtimestamp(stat.st_mtime, timezone.utc).isoformat(timespec="seconds")
        return SourceVersion(version, modified, stat.st_size)

    def move(self, file: DroppedFile, subfolder: Subfolder, reason: str | None = None) -> str:
        """Move this version of a file into a subfolder, and return the name that it has there.

        Nothing is overwritten: a second file of the same name gets a number. The reason is written first, as
        ``<name>.reason.txt``, so that a crash never leaves a failed file without one.
        """
        path = self.folder / file.name
        with disk_errors(self.folder / subfolder), _opened(self.folder) as here:
            with suppress(FileExistsError):
                os.mkdir(subfolder, dir_fd=here)
            with _opened(subfolder, os.O_NOFOLLOW, dir_fd=here) as there:
                with os.scandir(there) as entries:
                    taken = {entry.name for entry in entries}
                name = next(name for name in free_names(file.name) if name not in taken)
                if reason is not None:
                    with suppress(FileNotFoundError):  # of a tick that was killed before it moved the file
                        os.unlink(name + REASON, dir_fd=there)
                    with os.fdopen(os.open(name + REASON, _NEW_FILE, 0o666, dir_fd=there), "wb") as text:
                        text.write(reason.encode(errors="replace"))
                with self._reading(path):
                    if _version(path.lstat()) != file.version:
                        raise _changed(file.name, str(path))
                os.rename(file.name, name, src_dir_fd=here, dst_dir_fd=there)
        return name

    def _reading(self, path: Path) -> AbstractContextManager[None]:
        return reading_errors(path, self.folder, "TAXI_LANDING")


class LandingBucket:
    """A prefix of a bucket, ``gs://bucket/prefix``. Objects are complete; their generation is their version."""

    def __init__(self, client: "storage.Client", uri: str) -> None:
        bucket, _, prefix = uri.removeprefix("gs://").partition("/")
        if not bucket:
            raise InvalidSetting(f"TAXI_LANDING={uri}", "it names no bucket", "Write gs://bucket/prefix.")
        prefix = prefix.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._uri = f"gs://{bucket}/{self._prefix}"
        self._client = cast("Any", client)  # the client's type stubs are incomplete
        self._bucket = self._client.bucket(bucket)
        self._waiting: dict[str, Any] = {"timeout": TIMEOUTS, "retry": google_retry(METADATA_OF_GOOGLE, self._uri)}

    def address(self, name: str) -> str:
        """Return the object's URI."""
        return self._uri + name

    def files(self) -> list[DroppedFile]:
        """Return the objects directly below the prefix, the oldest first."""
        with google_errors(self._uri):
            blobs = self._client.list_blobs(
                self._bucket, prefix=self._prefix, delimiter="/", fields=_OBJECT_FIELDS, **self._waiting
            )
            dated = [(blob.updated, blob.name.removeprefix(self._prefix), str(blob.generation)) for blob in blobs]
        # Google's console creates an empty object with the folder's name to show a folder.
        return [DroppedFile(name, generation, is_complete=True) for _, name, generation in sorted(dated) if name]

    def fetch(self, name: str, version: str, target: Path) -> SourceVersion:
        """Download this generation of an object to ``target``; the client compares the checksum."""
        address, blob = self.address(name), self._bucket.blob(self._prefix + name)
        try:
            with google_errors(address), disk_errors(target):
                blob.reload()
                current = SourceVersion(str(blob.generation), blob.updated and blob.updated.isoformat(), blob.size)
                if current.etag == version:
                    # Raw, because the client would decompress an object that is marked as gzip-encoded.
                    blob.download_to_filename(str(target), raw_download=True, if_generation_match=blob.generation)
        except CloudNotReady as error:
            raise NotPublished(name, f"{address} is not there any more", "Drop it again.") from error
        if current.etag != version:
            raise _changed(name, address)
        return current

    def move(self, file: DroppedFile, subfolder: Subfolder, reason: str | None = None) -> str:
        """Copy this generation of an object into a subfolder and delete the original."""
        folder, generation = f"{self._prefix}{subfolder}/", int(file.version)
        blob = self._bucket.blob(self._prefix + file.name)
        with google_errors(self.address(file.name)):
            name = next(
                name for name in free_names(file.name) if not self._bucket.blob(folder + name).exists(**self._waiting)
            )
            if reason is not None:
                self._bucket.blob(folder + name + REASON).upload_from_string(reason, **self._waiting)
            # If a tick is killed after this, the next one copies again: there are two copies in the subfolder.
            self._bucket.copy_blob(
                blob, self._bucket, folder + name, if_source_generation_match=generation, **self._waiting
            )
            blob.delete(if_generation_match=generation, **self._waiting)
        return name


LandingPlace = LandingFolder | LandingBucket


def free_names(name: str) -> Iterator[str]:
    """Yield the names to try in a subfolder: the name, then ``green_tripdata_2019-03.2.csv.gz`` and so on."""
    yield name
    stem, dot, suffix = name.partition(".")
    yield from (f"{stem}.{number}{dot}{suffix}" for number in count(2))


@dataclass(frozen=True)
class DroppedFileSource:
    """A source that has one version of one dropped file, which is fetched and verified like every other file."""

    place: LandingPlace
    name: str
    dropped_version: str
    asking_is_free = True

    def trips(self, service: Service, month: Month) -> str:
        """Return the file's address; raise ``NotPublished`` if its name says that it belongs to another month."""
        if parse_file_name(self.name) != (service, month):
            what = f"it is not the file of {service.name} {month}"
            raise NotPublished(self.name, what, "Name the file of that month.")
        return self.place.address(self.name)

    def zones(self) -> str:
        """Raise ``NotPublished``: the zone lookup is not dropped by hand."""
        raise NotPublished("taxi_zone_lookup.csv", "it is not dropped by hand", "Ask the source for it.")

    def version(self, address: str) -> SourceVersion:
        """Return the version to load."""
        return SourceVersion(self.dropped_version, None, None)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Copy the file to ``target``, as ``Source`` promises."""
        with disk_errors(target):
            sidecar_of(target).unlink(missing_ok=True)  # of an interrupted download, which is not continued
        return self.place.fetch(self.name, self.dropped_version, target)


def _changed(name: str, address: str) -> DamagedFile:
    return DamagedFile(name, f"{address} has changed since it was listed", "The next tick lists it again.")


@contextmanager
def _opened(folder: Path | str, flags: int = 0, *, dir_fd: int | None = None) -> Generator[int]:
    """Open a folder, so that what is done in it cannot be led elsewhere by replacing it with a link."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | flags, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _version(stat: os.stat_result) -> str:
    """Return the size and the times of the last write and the last change, which includes moving the file here."""
    return f"{stat.st_size:x}-{stat.st_mtime_ns:x}-{stat.st_ctime_ns:x}"
