"""Removing raw files that are loaded, by age or by total size.

Dagster's record of the file is kept, and the file is fetched again when it is needed. A file from the landing place is
never removed, because nobody else may have it, nor is a file that the source itself reads.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from taxi_platform.errors import disk_errors
from taxi_platform.sources.cache import lock_of, read_sidecar, remove
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.keys import parse_file_name

logger = logging.getLogger(__name__)

WhyNotLoaded = Callable[[TripFile], str | None]
"""Returns why a table or the lake has not loaded this very file, or None if it has."""

DAY = 86_400.0
GIGABYTE = 1_000_000_000

LANDED = "it came from the landing place"
SOURCE = "it is the source's own file"
IN_USE = "another process uses it"


@dataclass(frozen=True)
class Purged:
    """What a purge removed or would have removed, and how many due files it kept, by reason."""

    files: int
    bytes: int
    kept: Mapping[str, int]
    files_left: int
    bytes_left: int


def purge(
    folder: Path, days: float | None, gigabytes: float | None, places: Sequence[WhyNotLoaded], *, dry_run: bool = False
) -> Purged:
    """Remove the files that were fetched more than ``days`` ago, and the oldest until the rest is below ``gigabytes``.

    A file is removed only if every place has loaded it: the tables, and the lake if there is one.
    """
    now = time.time()
    # Only files that are unchanged since they were fetched are listed, so the last write is the time of the fetch.
    fetched_at = {file: file.path.stat().st_mtime for file in kept_files(folder)}
    files = sorted(fetched_at, key=lambda file: (fetched_at[file], file.name))
    left = sum(file.bytes for file in files)
    removed: list[TripFile] = []
    kept: Counter[str] = Counter()
    for file in files:
        is_old = days is not None and now - fetched_at[file] > days * DAY
        if not (is_old or (gigabytes is not None and left > gigabytes * GIGABYTE)):
            break  # the others are younger
        reason = _remove_if_loaded(file, places, dry_run=dry_run)
        if reason:
            kept[reason] += 1
            logger.info("%s stays: %s", file.name, reason)
            continue
        removed.append(file)
        left -= file.bytes
        logger.info("%s %s: %s bytes", file.name, "would be removed" if dry_run else "is removed", f"{file.bytes:,}")
    return Purged(
        files=len(removed),
        bytes=sum(file.bytes for file in removed),
        kept=dict(kept),
        files_left=len(files) - len(removed),
        bytes_left=left,
    )


def kept_files(folder: Path) -> Iterator[TripFile]:
    """Yield every verified file that is unchanged since. Other files belong to somebody else and are not removed."""
    with disk_errors(folder):
        paths = sorted(path for path in folder.glob("*/*") if parse_file_name(path.name) and path.is_file())
    yield from filter(None, map(read_sidecar, paths))


def _remove_if_loaded(file: TripFile, places: Iterable[WhyNotLoaded], *, dry_run: bool) -> str | None:
    """Remove a file, locked against fetching, or return why it stays."""
    if file.landed:
        return LANDED
    with suppress(OSError):  # the source is not a folder, or does not have the file any more
        if file.path.samefile(file.source):  # a link or a setting leads from one to the other
            return SOURCE
    try:
        with lock_of(file.path.with_name(f"{file.path.name.partition('.')[0]}.csv")).acquire(timeout=0):
            if read_sidecar(file.path) != file:
                return IN_USE
            reason = next(filter(None, (why_not(file) for why_not in places)), None)
            if reason is None and not dry_run:
                with disk_errors(file.path):
                    remove(file.path)
            return reason
    except Timeout:
        return IN_USE
