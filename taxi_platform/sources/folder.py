"""A folder of trip files as a source: on this machine, or mounted from another."""

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from taxi_platform.errors import AccessDenied, DamagedFile, InvalidSetting, NotPublished, SourceUnreachable, disk_errors
from taxi_platform.sources.http import sidecar_of
from taxi_platform.trips import zones as lookup
from taxi_platform.trips.files import SourceVersion, edition_of
from taxi_platform.trips.months import Month
from taxi_platform.trips.reading import read_chunks
from taxi_platform.trips.services import Service

CHUNK = 1024 * 1024  # bytes copied at once


class FolderSource:
    """The files of one folder, named as they are published, ``.csv.gz``, ``.csv`` or ``.parquet``.

    An address is a file's absolute path. The folder may be absent at first, for example before it is mounted; every
    method then raises ``InvalidSetting``.
    """

    asking_is_free = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file; of two CSV files the compressed one.

        Raises:
            DamagedFile: the month is there as CSV and as Parquet, which differ in their rows.
        """
        plain = Path(service.file_name(month))
        return self._first_of(f"{plain}.gz", str(plain), str(plain.with_suffix(".parquet")))

    def zones(self) -> str:
        """Return the address of the zone lookup."""
        return self._first_of(lookup.FILE)

    def version(self, address: str) -> SourceVersion:
        """Return size and time of the last change, and an entity tag made from them."""
        with self._reading(Path(address)):
            return _version(Path(address).stat())

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Copy a file to ``target``, and replace whatever is there."""
        source = Path(address)
        with disk_errors(target):
            sidecar_of(target).unlink(missing_ok=True)
        with disk_errors(target), target.open("wb") as copy, self._reading(source):
            before = _version(source.stat())
            for chunk in read_chunks(source, CHUNK):
                with disk_errors(target):
                    copy.write(chunk)
            after = _version(source.stat())
        if after != before or target.stat().st_size != before.bytes:
            what = f"{source} changed while it was copied"
            raise DamagedFile(source.name, what, "Wait until it is written, and run it again.")
        return before

    def _first_of(self, *names: str) -> str:
        found: list[str] = []
        for name in names:
            path = self.folder / name
            with self._reading(path):
                if path.is_file():
                    found.append(str(path))
        if len({edition_of(path) for path in found}) > 1:
            what = f"the month is there twice, in two editions whose rows differ: {' and '.join(found)}"
            raise DamagedFile(names[-1], what, "Keep the one that you want to load.")
        if found:
            return found[0]
        check_folder(self.folder, "TAXI_SOURCE")
        what = f"{self.folder} has no {' and no '.join(names)}"
        raise NotPublished(names[-1], what, "Put the file there, or choose another month.")

    def _reading(self, path: Path) -> AbstractContextManager[None]:
        return reading_errors(path, self.folder, "TAXI_SOURCE")


@contextmanager
def reading_errors(path: Path, folder: Path, setting: str) -> Generator[None]:
    """Raise the source's own errors instead of every ``OSError`` of the block, which reads a folder or a file in it.

    Raises:
        InvalidSetting: the folder that ``setting`` names does not exist.
        NotPublished, AccessDenied: the file does not exist, or may not be read.
        SourceUnreachable: the disk or the network mount fails.
    """
    try:
        yield
    except FileNotFoundError as error:
        check_folder(folder, setting)
        what = f"{path} does not exist"
        raise NotPublished(path.name, what, "Put the file there, or choose another month.") from error
    except PermissionError as error:
        raise AccessDenied(path.name, f"{path} may not be read", "Change its permissions or owner.") from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        advice = "Check the disk or the network mount, and try again."
        raise SourceUnreachable(path.name, f"{path} cannot be read: {reason}", advice) from error


def check_folder(folder: Path, setting: str) -> None:
    """Raise ``InvalidSetting`` if the folder does not exist."""
    if not folder.is_dir():
        advice = "Create or mount it, or name another one."
        raise InvalidSetting(f"{setting}={folder}", "there is no such folder", advice)


def _version(stat: os.stat_result) -> SourceVersion:
    modified = datetime.fromtimestamp(stat.st_mtime, timezone.utc).isoformat(timespec="seconds")
    return SourceVersion(f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"', modified, stat.st_size)
