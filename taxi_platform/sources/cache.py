"""The folder of verified raw files: a read-through cache in front of the source. Knows nothing of Dagster.

``raw/green/green_tripdata_2019-03.csv.gz`` is the file as published; the ``.json`` beside it says where it came from
and what was verified. A file without a fitting ``.json`` counts as absent.
"""

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from taxi_platform.errors import DamagedFile, SourceUnreachable, disk_errors
from taxi_platform.sources.sidecars import beside, forget, known, landed_among, lock_of, remember
from taxi_platform.sources.source import Source
from taxi_platform.trips.files import FileFacts, SourceVersion, Transfer, TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import TripStream, is_compressed, read_chunks
from taxi_platform.trips.records import count_records
from taxi_platform.trips.services import Service

Log = Callable[[str], None]
LOCK_SECONDS = 3600  # the largest file over a slow line; after that something hangs


class RawFiles:
    """The raw files of one source.

    A month's file that came by the landing place is the month's file whatever its source has, and whether it has one,
    until the source's is fetched by force.

    Args:
        folder: where they are kept, one folder a service.
        source: where absent ones come from. A file that came from another source counts as absent.
        landing: whether that source is a landing place.
    """

    def __init__(self, folder: Path, source: Source, *, landing: bool = False) -> None:
        self._folder = folder
        self._source = source
        self._landing = landing

    def get(self, service: Service, month: Month, log: Log) -> Transfer:
        """The month's file as it is kept, fetched only when it is absent, or known without asking to have changed.

        Raises:
            NotPublished, AccessDenied, SourceUnreachable: as the source says.
            DamagedFile, SchemaMismatch: the fetched file is broken; it is not kept.
            StorageFull: it cannot be written.
        """
        return self._provide(service, month, log, ask=self._source.asking_is_free, force=False)

    def refresh(self, service: Service, month: Month, log: Log, *, force: bool = False) -> Transfer:
        """The month's file as the source has it now, fetched when it differs from what is kept, or when forced.

        Raises:
            as ``get`` does.
        """
        return self._provide(service, month, log, ask=True, force=force)

    def kept(self, service: Service, month: Month) -> TripFile | None:
        """The month's file as it was kept last, wherever it came from; neither asked about nor fetched."""
        plain = self._folder / service.name / service.file_name(month)
        files = [file for file in map(known, (plain, beside(plain, ".gz"))) if file]
        return landed_among(plain, beside(plain, ".gz")) or max(files, key=_modified, default=None)

    def zones(self, log: Log) -> Path:
        """The zone lookup as the source has it now, brought into the folder.

        Raises:
            NotPublished, AccessDenied, SourceUnreachable, DamagedFile, StorageFull: as ``get`` does.
        """
        path = self._folder / "taxi_zone_lookup.csv"
        with self._alone(path, log):
            part = beside(path, ".part")
            self._source.fetch(self._source.zones(), part, log)
            with disk_errors(path):
                part.replace(path)
        return path

    def _provide(self, service: Service, month: Month, log: Log, *, ask: bool, force: bool) -> Transfer:
        started = time.monotonic()
        plain = self._folder / service.name / service.file_name(month)
        zipped = beside(plain, ".gz")
        with self._alone(plain, log):
            kept = None if force else landed_among(plain, zipped)
            if kept is None:
                address = self._source.trips(service, month)
                path, other = (zipped, plain) if address.endswith(".gz") else (plain, zipped)
                kept = None if force else self._usable(path, address, ask=ask)
                if kept is None:
                    file = self._fetch(address, path, service, month, log)
                    self._replace_landed(other)
                    return Transfer(file, is_new=True, seconds=time.monotonic() - started)
        return Transfer(kept, is_new=False, seconds=time.monotonic() - started)

    def _usable(self, path: Path, address: str, *, ask: bool) -> TripFile | None:
        """The kept file, if it came from this address and is, as far as is asked, what is there now."""
        file = known(path)
        if file is None or file.source != address:
            return None
        return file if not ask or self._is_current(file, address) else None

    def _replace_landed(self, other: Path) -> None:
        """Let go of the month's file of the other name, where one of the two came by the landing place."""
        if self._landing or landed_among(other):
            with disk_errors(other):
                forget(other)

    def _is_current(self, file: TripFile, address: str) -> bool:
        version = self._source.version(address)
        kept = file.version
        return version.is_known and (kept.etag, kept.modified) == (version.etag, version.modified)

    def _fetch(self, address: str, path: Path, service: Service, month: Month, log: Log) -> TripFile:
        part = beside(path, ".part")
        version = self._source.fetch(address, part, log)
        try:
            file = replace(_verify(part, path, service, month, address, version), landed=self._landing)
        except Exception:
            part.unlink(missing_ok=True)  # a broken file must not be taken for the beginning of a good one
            raise
        with disk_errors(path):
            _flush(part)
            part.replace(path)
            remember(file)
        log(f"{path.name}: {file.rows:,} rows in {file.bytes:,} bytes, verified and kept")
        return file

    @contextmanager
    def _alone(self, path: Path, log: Log) -> Generator[None]:
        """Keep other processes from fetching the same file meanwhile."""
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = lock_of(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                log(f"{path.name}: another process is fetching it; waiting for it")
                _wait_for(lock, path)
        try:
            yield
        finally:
            lock.release()


def _wait_for(lock: FileLock, path: Path) -> None:
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        raise SourceUnreachable(path.name, "another process has been fetching it for an hour") from None


def _verify(part: Path, path: Path, service: Service, month: Month, address: str, version: SourceVersion) -> TripFile:
    """Read a fetched file once from end to end, and say what it is."""

    def stream() -> TripStream:
        return TripStream(read_chunks(part), service, month, compressed=is_compressed(path))

    try:
        whole = stream()
        for _ in whole.blocks():
            pass
        rows = whole.rows if whole.regular else count_records(stream())
    except DamagedFile as error:
        raise DamagedFile(
            error.subject,
            error.what,
            f"It came from {address} and was not kept. Run again; if that does not help, it is broken at its source.",
        ) from None
    return TripFile(
        service=service.name,
        month=month,
        source=address,
        uri=path.absolute().as_uri(),
        version=SourceVersion(version.etag, version.modified, whole.bytes),
        facts=FileFacts(whole.bytes, whole.csv_bytes, whole.sha256, rows),
    )


def _modified(file: TripFile) -> int:
    return file.path.stat().st_mtime_ns


def _flush(path: Path) -> None:
    """Have the bytes on disk before the name says that they are."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
