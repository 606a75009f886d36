"""The beginning of a download, kept so that it can be continued, even by another process; not how the rest is got.

Beside the target lies a note that says what the bytes are the beginning of: the address and the version. Bytes
without a note that matches are worth nothing, because nobody can say whether the rest would fit.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from taxi_platform.errors import disk_errors
from taxi_platform.trips.files import SourceVersion


def note_beside(target: Path) -> Path:
    """Where the note about a partial ``target`` lies; it is gone when the file is complete."""
    return target.with_name(target.name + ".partial.json")


def validator(version: SourceVersion) -> str | None:
    """What a server can tell this version from every other by, if anything: a strong ETag, else the date."""
    if version.etag and not version.etag.startswith("W/"):
        return version.etag
    return version.modified


class PartialFile:
    """The bytes of ``address`` that have arrived at ``target`` so far.

    Attributes:
        target: where the bytes are.
        version: which version of the file they belong to; none if nothing usable is there.

    Raises:
        StorageFull: by every method that touches the disk, if that fails.
    """

    def __init__(self, target: Path, address: str) -> None:
        self.target = target
        self._address = address
        self._note = note_beside(target)
        with disk_errors(target):
            self.version = self._noted()
        if self.version is None or self.received > (self.version.bytes or self.received):
            self.discard()

    @property
    def received(self) -> int:
        """How many bytes have arrived."""
        with disk_errors(self.target):
            return self.target.stat().st_size if self.target.exists() else 0

    def start(self, version: SourceVersion) -> None:
        """Begin again, with nothing, to receive this version."""
        self.discard()
        self.version = version
        with disk_errors(self.target):
            self.target.touch()
            # Bytes come after the note: should the process die here, the note tells the truth about an empty file.
            if validator(version):
                self._note.write_text(json.dumps({"address": self._address, **asdict(version)}))

    @contextmanager
    def appending(self) -> Generator[Callable[[bytes], None], None, None]:
        """A function that adds bytes at the end, unbuffered: they outlive a process that is killed."""
        with disk_errors(self.target):
            file = self.target.open("ab", buffering=0)

        def append(data: bytes) -> None:
            with disk_errors(self.target):
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]

        try:
            yield append
        finally:
            with disk_errors(self.target):  # network file systems report a full disk only here
                file.close()

    def discard(self) -> None:
        """Throw away what has arrived."""
        self.version = None
        with disk_errors(self.target):
            self._note.unlink(missing_ok=True)  # first, so that it never vouches for other bytes
            self.target.unlink(missing_ok=True)

    def complete(self) -> None:
        """The file is whole: nothing is left to be noted."""
        with disk_errors(self.target):
            self._note.unlink(missing_ok=True)

    def _noted(self) -> SourceVersion | None:
        try:
            note = json.loads(self._note.read_bytes())
            if note.pop("address") == self._address:
                return SourceVersion(**note)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            pass  # no note, or one that was cut off while it was written
        return None
