"""The beginning of a download, kept so that it can be continued, even by another process; not how the rest is fetched.

A sidecar file says what the bytes are the beginning of: the address and the version. Bytes without a sidecar file that
matches are worth nothing, because nobody can say whether the rest would fit.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from taxi_platform.errors import disk_errors
from taxi_platform.trips.files import SourceVersion


def sidecar_of(target: Path) -> Path:
    """Return where the sidecar file of a partial ``target`` is; it is gone when the file is complete."""
    return target.with_name(target.name + ".partial.json")


def validator(version: SourceVersion) -> str | None:
    """Return what a server can tell this version from every other by, if anything: a strong ETag, else the date."""
    if version.etag and not version.etag.startswith("W/"):
        return version.etag
    return version.modified


class PartialFile:
    """The bytes of ``address`` that have arrived at ``target`` so far.

    Every method that touches the disk raises ``StorageFull`` if that fails.

    Attributes:
        target: where the bytes are.
        version: which version of the file they belong to; None if nothing usable is there.
    """

    def __init__(self, target: Path, address: str) -> None:
        self.target = target
        self._address = address
        self._sidecar = sidecar_of(target)
        with disk_errors(target):
            self.version = self._read_sidecar()
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
            # The bytes come after the sidecar file: if the process dies here, it truly describes an empty file.
            if validator(version):
                self._sidecar.write_text(json.dumps({"address": self._address, **asdict(version)}))

    @contextmanager
    def appending(self) -> Generator[Callable[[bytes], None]]:
        """Yield a function that adds bytes at the end, unbuffered: they outlive a process that is killed."""
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
            self._sidecar.unlink(missing_ok=True)  # first, so that it never vouches for other bytes
            self.target.unlink(missing_ok=True)

    def complete(self) -> None:
        """Remove the sidecar file, because the file is whole."""
        with disk_errors(self.target):
            self._sidecar.unlink(missing_ok=True)

    def _read_sidecar(self) -> SourceVersion | None:
        try:
            facts = json.loads(self._sidecar.read_bytes())
            if facts.pop("address") == self._address:
                return SourceVersion(**facts)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            pass  # there is none, or it was cut off while it was written
        return None
