"""A folder that publishes trip files as a test wants them, and the raw files that are fetched from it.

published.publish(rows(GREEN, 50))
file = published.fetch()                     # verified and kept
"""

import logging
import os
import weakref
from collections.abc import Sequence
from pathlib import Path

from taxi_platform.sources.cache import RawFiles
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, Service
from taxi_platform_tests.support.trip_texts import MARCH, text, zipped


class Published:
    """Where a test's files are published and kept.

    Attributes:
        folder: where they are published.
        said: what the platform has logged since then.
    """

    def __init__(self, folder: Path) -> None:
        self.said = lines_of_the_log(self)
        self.folder = folder / "published"
        self._raw = folder / "raw"
        self.folder.mkdir()

    def publish(self, content: bytes | Sequence[str], service: Service = GREEN, month: Month = MARCH) -> Path:
        """Publish a month in place of what was published of it before: a file's bytes, or rows to be compressed."""
        data = content if isinstance(content, bytes) else zipped(text(service, content))
        plain = self.folder / service.file_name(month)
        gz = plain.with_name(plain.name + ".gz")
        path, other = (gz, plain) if data.startswith(b"\x1f") else (plain, gz)
        other.unlink(missing_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_bytes(data)
        os.utime(path, ns=(before + 10**9, before + 10**9))
        return path

    def fetch(self, service: Service = GREEN, month: Month = MARCH) -> TripFile:
        """The published month, verified and kept."""
        files = RawFiles(self._raw, FolderSource(self.folder))
        return files.get(service, month, self.said.append).file


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


def lines_of_the_log(owner: object) -> list[str]:
    """Return a list that grows with every line that the platform logs, for as long as its owner lives."""
    lines: list[str] = []
    handler, logger = _Lines(lines), logging.getLogger("taxi_platform")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    weakref.finalize(owner, logger.removeHandler, handler)
    return lines
