"""Removing raw files that have done their service, by age or by size. Knows nothing of Dagster, nor of what loads them.

A file goes only when every place that is made from it holds it. What a file was stays on record; whoever asks for it
later has it fetched again. A file that came by the landing place stays, because nobody else may have it.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from taxi_platform.errors import disk_errors
from taxi_platform.sources.cache import lock_of, read_sidecar, remove
from taxi_platform.trips.files import TripFile

Log = Callable[[str], None]
WhyNotHeld = Callable[[TripFile], str | None]
"""A place that is made from raw files: why it does not hold one, or nothing when it does."""

DAY = 86_400.0
GIGABYTE = 1_000_000_000

LANDED = "it came by the landing place"
IN_USE = "another process uses it"
_NAME = re.compile(r"(?P<plain>[a-z]+_tripdata_\d{4}-\d{2}\.csv)(\.gz)?")
_PART = re.compile(_NAME.pattern + r"(\.json)?\.part(\.partial\.json)?")
_NOTE = re.compile(_NAME.pattern + r"\.json")


@dataclass(frozen=True)
class Rule:
    """Which files have to go.

    Attributes:
        days: those that were brought longer ago than that; none for no limit.
        gigabytes: the oldest of those that are more than that together; none for no limit.
    """

    days: float | None
    gigabytes: float | None

    def is_due(self, age_seconds: float, bytes_kept: int) -> bool:
        """Whether the oldest file has to go, when all that are kept have so many bytes."""
        too_old = self.days is not None and age_seconds > self.days * DAY
        return too_old or (self.gigabytes is not None and bytes_kept > self.gigabytes * GIGABYTE)


@dataclass(frozen=True)
class Purged:
    """What was done.

    Attributes:
        files: how many raw files were removed, or would have been.
        bytes: the bytes of these.
        leftovers: how many remains of broken-off downloads were removed.
        kept: how many files should have gone and stay, by reason.
        files_left: how many files are there now.
        bytes_left: the bytes of these.
    """

    files: int
    bytes: int
    leftovers: int
    kept: Mapping[str, int]
    files_left: int
    bytes_left: int


def purge(folder: Path, rule: Rule, places: Sequence[WhyNotHeld], log: Log, *, dry_run: bool = False) -> Purged:
    """Remove the files that the rule means and every place holds, oldest first, and what broken-off downloads left.

    Args:
        folder: the folder of raw files.
        rule: which of them have to go.
        places: what is made from them.
        log: is told of each file that goes, or should go and stays.
        dry_run: only say what would be done.

    Raises:
        StorageFull: a file cannot be removed.
        TaxiError: as the places raise, when they cannot be asked.
    """
    now = time.time()
    files = sorted(kept_files(folder), key=lambda file: (_brought(file.path), file.name))
    left = sum(file.bytes for file in files)
    gone: list[TripFile] = []
    kept: Counter[str] = Counter()
    for file in files:
        if not rule.is_due(now - _brought(file.path), left):
            break  # the others are younger
        reason = _let_go(file, places, dry_run=dry_run)
        if reason:
            kept[reason] += 1
            log(f"{file.name} stays: {reason}")
            continue
        gone.append(file)
        left -= file.bytes
        log(f"{file.name} {'would go' if dry_run else 'is removed'}: {file.bytes:,} bytes")
    return Purged(
        files=len(gone),
        bytes=sum(file.bytes for file in gone),
        leftovers=_remove_leftovers(folder, now - DAY, dry_run=dry_run),
        kept=dict(kept),
        files_left=len(files) - len(gone),
        bytes_left=left,
    )


def kept_files(folder: Path) -> Iterator[TripFile]:
    """Every file that was verified and is as it was; what somebody else has put there is not ours to remove."""
    for path in _matching(folder, _NAME):
        file = read_sidecar(path)
        if file:
            yield file


def _let_go(file: TripFile, places: Iterable[WhyNotHeld], *, dry_run: bool) -> str | None:
    """Remove a file, or say why it stays. Nobody fetches it meanwhile."""
    if file.landed:
        return LANDED
    with _alone(file.path) as is_alone:
        if not is_alone or read_sidecar(file.path) != file:
            return IN_USE
        reason = next((reason for reason in (why_not(file) for why_not in places) if reason), None)
        if reason is None and not dry_run:
            with disk_errors(file.path):
                remove(file.path)
        return reason


def _remove_leftovers(folder: Path, before: float, *, dry_run: bool) -> int:
    """Remove what broken-off downloads and purges left, unless it is young enough to be continued."""
    notes = (note for note in _matching(folder, _NOTE) if not note.with_suffix("").exists())
    removed = 0
    for path in (*_matching(folder, _PART), *notes):
        with disk_errors(path), _alone(path) as is_alone:
            if is_alone and path.exists() and path.stat().st_mtime < before:
                removed += 1
                if not dry_run:
                    path.unlink()
    return removed


def _matching(folder: Path, name: re.Pattern[str]) -> list[Path]:
    with disk_errors(folder):
        return sorted(path for path in folder.glob("*/*") if name.fullmatch(path.name) and path.is_file())


@contextmanager
def _alone(path: Path) -> Generator[bool]:
    """Whether no other process fetches the month's file, as long as the block lasts."""
    found = _NAME.match(path.name)
    lock = lock_of(path.with_name(found["plain"] if found else path.name))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _brought(path: Path) -> float:
    """When a file was brought, in seconds since 1970: nobody has touched it since, or it would not be known."""
    return path.stat().st_mtime
