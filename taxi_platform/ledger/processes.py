"""Signs of life of processes that load months themselves: a run whose process was killed is told from one that goes on.

Without a daemon nobody else watches such a run: it would count as started for ever. A lock on a file in the data folder
is held as long as the process lives, whatever ends it; the run's tag names the machine and the file.
"""

import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

TAG = "taxi/process"
FOLDER = "backfills"


@contextmanager
def sign_of_life(data_dir: Path) -> Generator[dict[str, str]]:
    """The tag for the runs of this process, true as long as the context lasts."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid4().hex[:12]
    path = folder / f"{name}.lock"
    with FileLock(path):
        yield {TAG: f"{socket.gethostname()}/{name}"}
    path.unlink(missing_ok=True)


def is_abandoned(tags: Mapping[str, str], data_dir: Path) -> bool:
    """Whether the process behind a run with these tags is gone. Of other machines and other runs that is not known."""
    host, _, name = tags.get(TAG, "").rpartition("/")
    if host != socket.gethostname():
        return False
    path = data_dir / FOLDER / f"{name}.lock"
    if not path.exists():
        return True
    try:
        with FileLock(path, timeout=0):
            return True
    except Timeout:
        return False
