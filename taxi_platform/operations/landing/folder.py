"""The landing place that a folder is."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from taxi_platform.errors import (
    AccessDenied,
    DamagedFile,
    InvalidSetting,
    NotPublished,
    SourceUnreachable,
    StorageFull,
    disk_errors,
)
from taxi_platform.operations.landing.names import numbered, shown
from taxi_platform.operations.landing.place import Dropped, Where
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import SourceVersion

QUIET = 60.0  # seconds since a file was written last, after which nobody writes it any more


class LandingFolder:
    """A folder into which people and programs put files.

    A file that was written long ago is complete at the first look: it was renamed into its place, or copied with its
    time, which copying programs set at the end.

    Args:
        folder: where files are dropped; ``done`` and ``failed`` are made in it when they are needed.
        own: whether it is the platform's own folder, which is made when it is not there.
    """

    def __init__(self, folder: Path, *, own: bool = False) -> None:
        self._folder = folder
        self._own = own

    def address(self, name: str) -> str:
        """The file's path."""
        return str(self._folder / name)

    def look(self) -> list[Dropped]:
        """The files of the folder, without its subfolders; the one that was written first comes first."""
        if self._own:
            with disk_errors(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
        found: list[tuple[int, Dropped]] = []
        with self._reading(self._folder), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # gone since the folder was listed, or a link to nothing
                    if entry.is_file():
                        state = entry.stat()
                        complete = time.time() - state.st_mtime >= QUIET
                        found.append((state.st_mtime_ns, Dropped(entry.name, _version(state), complete)))
        return [dropped for _, dropped in sorted(found, key=lambda item: (item[0], item[1].name))]

    def fetch(self, name: str, version: str, target: Path) -> SourceVersion:
        """Copy one version of a file to ``target``, as ``LandingPlace`` promises."""
        path = self._folder / name
        self._check(path, version)
        brought = FolderSource(self._folder).fetch(str(path), target)
        self._check(path, version)
        return SourceVersion(version, brought.modified, brought.bytes)

    def move(self, dropped: Dropped, where: Where, reason: str | None = None) -> str:
        """Rename a file into one of the rooms, as ``LandingPlace`` promises."""
        path, room = self._folder / dropped.name, self._folder / where
        with _changing(room):
            room.mkdir(exist_ok=True)
            name = _free(room, dropped.name)
            if reason is not None:
                (room / f"{name}.reason.txt").write_text(reason, encoding="utf-8", errors="replace")
        self._check(path, dropped.version)
        with _changing(path):
            path.rename(room / name)
            if not _same_bytes((room / name).stat(), dropped.version):  # somebody has put another one there just now
                (room / name).rename(path)
        return name

    def _check(self, path: Path, version: str) -> None:
        with self._reading(path):
            now = _version(path.stat())
        if now != version:
            raise DamagedFile(path.name, f"{path} has changed since it was looked at", "It is looked at again.")

    @contextmanager
    def _reading(self, path: Path) -> Generator[None]:
        try:
            yield
        except FileNotFoundError:
            if path != self._folder and self._folder.is_dir():
                raise NotPublished(path.name, f"{path} is not there any more", "Drop it again.") from None
            raise InvalidSetting(
                f"TAXI_LANDING={self._folder}", "there is no such folder", "Create or mount it, or unset it."
            ) from None
        except PermissionError:
            raise AccessDenied(
                shown(path.name), f"{path} may not be read", "Change its permissions or owner."
            ) from None
        except OSError as error:
            raise SourceUnreachable(
                shown(path.name), f"{path} cannot be read: {error.strerror}", "Check the disk or the network mount."
            ) from error


@contextmanager
def _changing(path: Path) -> Generator[None]:
    """Change something in the landing folder, in which every ``OSError`` is the folder's."""
    try:
        yield
    except OSError as error:
        raise StorageFull(
            shown(path.name),
            f"{shown(str(path))} cannot be changed: {(error.strerror or type(error).__name__).lower()}",
            "See that the landing folder has space, and may be written by the platform.",
        ) from error


def _version(state: os.stat_result) -> str:
    """Size, time of the last writing, and of the last change of any kind, moving the file here included."""
    return f"{state.st_size:x}-{state.st_mtime_ns:x}-{state.st_ctime_ns:x}"


def _same_bytes(state: os.stat_result, version: str) -> bool:
    """Whether a file that was renamed, which is a change, was not written since."""
    return version.startswith(f"{state.st_size:x}-{state.st_mtime_ns:x}-")


def _free(room: Path, name: str) -> str:
    """The name, or the first numbered one that no file in the room has."""
    number, free = 1, name
    while (room / free).exists():
        number += 1
        free = numbered(name, number)
    return free
