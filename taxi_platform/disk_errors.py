"""Failures of the disk on which fetched files are kept, told in words. What is written there does not belong here."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from taxi_platform.errors import StorageFull

_FREE_SPACE = "Free some space, or set TAXI_DATA_DIR to a folder that has more; then run it again."
_CHECK_FOLDER = "Check the folder and its permissions, or set TAXI_DATA_DIR to one that can be written."
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "the file may not grow any further",
}


@contextmanager
def storing(target: Path) -> Generator[None, None, None]:
    """Work on the file ``target``, in which every ``OSError`` is the disk's.

    Raises:
        StorageFull: the disk is full, or the file cannot be written for another reason, which the message names.
    """
    try:
        yield
    except OSError as error:
        full = _FULL.get(error.errno or 0)
        reason = full or (error.strerror or type(error).__name__).lower()
        raise StorageFull(
            target.name, f"{target} cannot be written: {reason}", _FREE_SPACE if full else _CHECK_FOLDER
        ) from error
