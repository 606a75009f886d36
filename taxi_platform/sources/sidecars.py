"""The note beside each raw file: where it came from, what was verified of it. Without one a file counts as absent."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from taxi_platform.trips.files import FileFacts, SourceVersion, TripFile
from taxi_platform.trips.months import Month


def beside(path: Path, suffix: str) -> Path:
    """The path that has ``suffix`` behind the whole name of another."""
    return path.with_name(path.name + suffix)


def lock_of(plain: Path) -> FileLock:
    """The lock that a process holds while it fetches or removes a month's file, whose plain name it takes."""
    return FileLock(plain.with_name(f".{plain.name}.lock"))


def remember(file: TripFile) -> None:
    """Write the note of a file that lies in its place."""
    record = {
        "service": file.service,
        "month": str(file.month),
        "source": file.source,
        **asdict(file.verified),
        "etag": file.version.etag,
        "modified": file.version.modified,
        "landed": file.landed,
        "mtime_ns": file.path.stat().st_mtime_ns,
    }
    note = beside(file.path, ".json.part")
    note.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    note.replace(beside(file.path, ".json"))


def known(path: Path) -> TripFile | None:
    """What was verified of a kept file, unless it was touched since."""
    try:
        record: dict[str, Any] = json.loads(beside(path, ".json").read_text(encoding="utf-8"))
        state = path.stat()
        if (record["mtime_ns"], record["bytes"]) != (state.st_mtime_ns, state.st_size):
            return None
        return TripFile(
            service=record["service"],
            month=Month.parse(record["month"]),
            source=record["source"],
            uri=path.absolute().as_uri(),
            version=SourceVersion(record["etag"], record["modified"], record["bytes"]),
            landed=record.get("landed", False),
            facts=FileFacts(record["bytes"], record["csv_bytes"], record["sha256"], record["rows"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def landed_among(*paths: Path) -> TripFile | None:
    """The file that came by the landing place, if one of these did; the later one if a crash left two."""
    landed = [file for file in map(known, paths) if file and file.landed]
    return max(landed, key=lambda file: file.path.stat().st_mtime_ns, default=None)


def forget(path: Path) -> None:
    """Remove a kept file; its note goes first, so that what a crash leaves counts as absent."""
    beside(path, ".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
