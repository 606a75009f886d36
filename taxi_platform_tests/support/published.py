"""A folder that publishes a test's trip files, and the cache of the files that are fetched from it.

published.publish(rows(GREEN, 50))
file = published.fetch()                     # verified and cached
"""

import os
from collections.abc import Sequence
from pathlib import Path

from taxi_platform.sources.cache import Cache
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, Service
from taxi_platform_tests.support.log_lines import lines_of_the_log
from taxi_platform_tests.support.trip_texts import MARCH, text, zipped


class Published:
    """The folders in which a test's files are published and cached.

    Attributes:
        folder: where they are published.
        logged: what the platform has logged since then.
    """

    def __init__(self, folder: Path) -> None:
        self.logged = lines_of_the_log(self)
        self.folder = folder / "published"
        self._raw = folder / "raw"
        self.folder.mkdir()

    def publish(
        self,
        content: bytes | Sequence[str],
        service: Service = GREEN,
        month: Month = MARCH,
        *,
        as_parquet: bool = False,
    ) -> Path:
        """Publish a month instead of its earlier version: a file's bytes, or rows, which are compressed."""
        data = content if isinstance(content, bytes) else zipped(text(service, content))
        plain = self.folder / service.file_name(month)
        gz, arrow = plain.with_name(plain.name + ".gz"), plain.with_suffix(".parquet")
        path = arrow if as_parquet or data[:4] == b"PAR1" else gz if data.startswith(b"\x1f") else plain
        for other in {plain, gz, arrow} - {path}:
            other.unlink(missing_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_bytes(data)
        os.utime(path, ns=(before + 10**9, before + 10**9))
        return path

    def fetch(self, service: Service = GREEN, month: Month = MARCH) -> TripFile:
        """Fetch the published month: verify it and cache it."""
        files = Cache(self._raw, FolderSource(self.folder))
        return files.get(service, month).file
