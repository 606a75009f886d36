"""The data folder: whether it can be written, by this user, and whether a month finds room."""

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from taxi_platform.operations.doctor.findings import Finding, ok, problem, warning
from taxi_platform.settings import Settings

GIB = 1 << 30
# The largest months (yellow, 7.7 million trips) are 130 MB as files and 1.2 GB as tables; a month is filled beside the
# one that it replaces, and PostgreSQL keeps up to 4 GB of its write-ahead log.
LEAST, COMFORTABLE = 2 * GIB, 10 * GIB
ELSEWHERE = "Free space there, or set TAXI_DATA_DIR to a folder on another disk."


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the folder, or, while it is absent, at where it will be made."""
    folder = settings.data_dir
    there = _existing(folder)
    if not there.is_dir():
        yield problem(f"{there} is a file, and {folder} should be a folder", "Move the file, or set TAXI_DATA_DIR.")
        return
    owner, me = _name(there.stat().st_uid), _name(os.geteuid())
    if not os.access(there, os.W_OK | os.X_OK):
        advice = f"Work as {owner}, or set TAXI_DATA_DIR to a folder of your own."
        yield problem(f"{there} belongs to {owner}, and {me} may not write there", advice)
    elif there == folder:
        yield ok(f"{folder}, which can be written")
        yield from _other_owners(folder)
    else:
        yield ok(f"{folder} is not there yet; the first command that needs it makes it")
    yield room(shutil.disk_usage(there).free)


def room(free: int) -> Finding:
    """Whether this many free bytes are enough for a month."""
    said = f"{free / GIB:.1f} GiB free"
    if free < LEAST:
        return problem(f"{said}: too little for a large month, which needs {LEAST / GIB:.0f}", ELSEWHERE)
    if free < COMFORTABLE:
        return warning(f"{said}: enough for some months", ELSEWHERE)
    return ok(said)


def _other_owners(folder: Path) -> Iterator[Finding]:
    """What of the folder another user has made, as one who works now with sudo and now without."""
    me = os.geteuid()
    others = sorted({_name(path.stat().st_uid) for path in (folder, *folder.iterdir()) if path.stat().st_uid != me})
    if others:
        yield warning(
            f"parts of {folder} belong to {', '.join(others)}, and this is {_name(me)}",
            f"Work as one user, or `chown -R {_name(me)} {folder}` (not its postgres/data, if root has made it).",
        )


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
