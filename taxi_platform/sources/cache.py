"""The folder of verified files: a read-through cache in front of the source.

``raw/green/green_tripdata_2019-03.csv.gz`` is the file as published; the ``.json`` beside it, its sidecar file, says
where it came from and what was verified. A file without a sidecar file that fits it counts as absent.
"""

import json
import logging
import os
import time
from collections.abc import Container, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from taxi_platform.errors import DamagedFile, InvalidSetting, SourceUnreachable, disk_errors
from taxi_platform.sources.folder import FolderSource
from taxi_platform.sources.source import Source
from taxi_platform.trips import zones
from taxi_platform.trips.files import FileFacts, SourceVersion, Transfer, TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import TripStream, open_trips, read_chunks
from taxi_platform.trips.records import PARSER, count_records
from taxi_platform.trips.services import Service

logger = logging.getLogger(__name__)

LOCK_SECONDS = 3600  # the largest file over a slow line; after that something hangs

FetchMode = Literal["cached", "refresh", "force"]
"""What to do when there is a cached file: use it (unless the source can tell without a network that it has another
one), ask the source whether it has another one, or fetch the source's in any case."""


class Cache:
    """The verified files of one source, in one folder for each service.

    A file that came from another source counts as absent, but a file from the landing place is the month's file until
    the source's is fetched by force.

    Args:
        landing: whether the source is the landing place.

    Raises:
        InvalidSetting: the source is a folder inside this one, where its files would be taken for copies.
    """

    def __init__(self, folder: Path, source: Source, *, landing: bool = False) -> None:
        if isinstance(source, FolderSource) and source.folder.resolve().is_relative_to(folder.resolve()):
            raise InvalidSetting(
                f"TAXI_SOURCE={source.folder}",
                "it is inside the folder of raw files, so its only copies could be purged",
                "Move its files to another folder and name that.",
            )
        self._folder = folder
        self._source = source
        self._landing = landing

    def get(self, service: Service, month: Month, mode: FetchMode = "cached") -> Transfer:
        """Return the month's verified file, fetched from the source if it is missing or the mode requires it.

        Raises:
            NotPublished, AccessDenied: the source does not have the file, or refuses to send it.
            SourceUnreachable: the source does not answer, or another process has been fetching for an hour.
            DamagedFile, SchemaMismatch: the fetched file is broken or has other columns; it is not kept.
            StorageFull: it cannot be written.
        """
        started = time.monotonic()
        paths = self._paths(service, month)
        with _locked(paths[0]):
            # A crash between a fetch and the removal of the others may leave two that landed: the later one counts.
            kept = None if mode == "force" else _latest(*paths, landed=True)
            if kept is None:
                address = self._source.trips(service, month)
                path = next(path for path in paths if address.endswith(path.suffix))
                others = [other for other in paths if other != path]
                kept = None if mode == "force" else self._usable(path, address, ask=mode == "refresh")
                # For checks and records the file that was cached last is the month's, even if it is another edition.
                if kept is None or kept != self.cached(service, month):
                    file = self._fetch(address, path, service, month)
                    if self._landing or _latest(*others, landed=True):
                        for other in others:
                            with disk_errors(other):
                                remove(other)
                    return Transfer(file, is_new=True, seconds=time.monotonic() - started)
        return Transfer(kept, is_new=False, seconds=time.monotonic() - started)

    def cached(self, service: Service, month: Month) -> TripFile | None:
        """Return the file that was cached last, from any source; nothing is asked or fetched."""
        paths = self._paths(service, month)
        return _latest(*paths, landed=True) or _latest(*paths)

    def zones(self) -> Path:
        """Fetch the zone lookup as the source has it now, and return where it is."""
        path = self._folder / zones.FILE
        with _locked(path):
            part = _beside(path, ".part")
            self._source.fetch(self._source.zones(), part)
            with disk_errors(path):
                part.replace(path)
        return path

    def _paths(self, service: Service, month: Month) -> tuple[Path, Path, Path]:
        plain = self._folder / service.name / service.file_name(month)
        return plain, _beside(plain, ".gz"), plain.with_suffix(".parquet")

    def _usable(self, path: Path, address: str, *, ask: bool) -> TripFile | None:
        """Return the cached file if it came from this address and, with ``ask``, is still what the source has."""
        file = read_sidecar(path)
        if file is None or file.source != address:
            return None
        if ask or self._source.asking_is_free:
            now = self._source.version(address)
            if not now.is_known or (file.version.etag, file.version.modified) != (now.etag, now.modified):
                return None
        return file

    def _fetch(self, address: str, path: Path, service: Service, month: Month) -> TripFile:
        part = _beside(path, ".part")
        version = self._source.fetch(address, part)
        try:
            facts = _verify(part, service, month, address)
        except Exception:
            part.unlink(missing_ok=True)  # a broken file must not be taken for the beginning of a good one
            raise
        file = TripFile(
            service=service.name,
            month=month,
            source=address,
            uri=path.absolute().as_uri(),
            version=replace(version, bytes=facts.bytes),
            landed=self._landing,
            facts=facts,
        )
        with disk_errors(path):
            with part.open("rb") as whole:
                os.fsync(whole.fileno())  # before the rename, so that the final name never points at partial data
            part.replace(path)
            write_sidecar(file)
        logger.info("%s: %s rows in %s bytes, verified and kept", path.name, f"{file.rows:,}", f"{file.bytes:,}")
        return file


@dataclass(frozen=True)
class TripFiles:
    """The files of some months of a service, fetched one by one as they are used: a bad one does not stop the others.

    Attributes:
        refresh: months that are refreshed even if the mode is ``cached``.
        force_load: whether months that are loaded already are loaded again.
    """

    cache: Cache
    service: Service
    months: Sequence[Month]
    mode: FetchMode = "cached"
    refresh: Container[Month] = ()
    force_load: bool = False

    def fetch(self, month: Month) -> Transfer:
        """Return one month's file, and whether it was fetched just now; see ``Cache.get``."""
        mode = "refresh" if self.mode == "cached" and month in self.refresh else self.mode
        return self.cache.get(self.service, month, mode)


# Sidecar files


def write_sidecar(file: TripFile) -> None:
    """Write the sidecar file of a file that is in its place, with the same names as version 0.1."""
    record = {
        "service": file.service,
        "month": str(file.month),
        "source": file.source,
        **asdict(file.facts),
        "parser": PARSER,
        "etag": file.version.etag,
        "modified": file.version.modified,
        "landed": file.landed,
        "mtime_ns": file.path.stat().st_mtime_ns,
    }
    part = _beside(file.path, ".json.part")
    part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    part.replace(_beside(file.path, ".json"))


def read_sidecar(path: Path) -> TripFile | None:
    """Return what was verified of a cached file, unless the file was touched since."""
    try:
        record: dict[str, Any] = json.loads(_beside(path, ".json").read_text(encoding="utf-8"))
        state = path.stat()
        if (record["mtime_ns"], record["bytes"]) != (state.st_mtime_ns, state.st_size):
            return None
        # Version 0.1 wrote no parser, and its test for regular rows was less strict.
        regular = record["regular"] if record.get("parser") == PARSER else None
        return TripFile(
            service=record["service"],
            month=Month.parse(record["month"]),
            source=record["source"],
            uri=path.absolute().as_uri(),
            version=SourceVersion(record["etag"], record["modified"], record["bytes"]),
            landed=record.get("landed", False),
            facts=FileFacts(record["bytes"], record["csv_bytes"], record["sha256"], record["rows"], regular),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remove(path: Path) -> None:
    """Remove a cached file. It is renamed first, so that readers without a lock find a whole file or none."""
    part = _beside(path, ".part")
    if path.exists():
        path.replace(part)
        part.unlink()
    _beside(path, ".json").unlink(missing_ok=True)


def _latest(*paths: Path, landed: bool = False) -> TripFile | None:
    """Return the file that was cached last at one of these paths, or the last that came from the landing place."""
    files = [file for file in map(read_sidecar, paths) if file and (file.landed or not landed)]
    return max(files, key=lambda file: file.path.stat().st_mtime_ns, default=None)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


# Locks and verification


def lock_of(plain: Path) -> FileLock:
    """Return the lock to hold while a month's file is fetched or removed; ``plain`` is the path of its plain CSV."""
    return FileLock(plain.with_name(f".{plain.name}.lock"))


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Keep other processes from fetching the same file."""
    lock = lock_of(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise SourceUnreachable(path.name, "another process has been fetching it for an hour") from None
    try:
        yield
    finally:
        lock.release()


def _verify(part: Path, service: Service, month: Month, address: str) -> FileFacts:
    """Read a fetched file once from end to end, and return its facts."""
    try:
        whole = open_trips(part, service, month, name=address)
        for _ in whole.blocks():
            pass
        rows = whole.rows
        if whole.regular is False:
            compressed = address.endswith(".gz")
            rows = count_records(TripStream(read_chunks(part), service, month, compressed=compressed))
    except DamagedFile as error:
        advice = (
            f"It came from {address} and was not kept. Run again; if that does not help, it is broken at its source."
        )
        raise DamagedFile(error.subject, error.what, advice) from None
    return FileFacts(whole.bytes, whole.csv_bytes, whole.sha256, rows, whole.regular)
