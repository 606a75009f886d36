"""The folder of pages. A page is replaced as a whole: whoever has it open sees the old one or the new one."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from taxi_platform.errors import disk_errors

SUFFIX = ".html"


def pages_in(folder: Path) -> frozenset[str]:
    """The names of the pages that are there, without their suffix."""
    return frozenset(path.stem for path in folder.glob(f"*{SUFFIX}"))


def write_page(folder: Path, name: str, html: str) -> Path:
    """Put a page into the folder, in place of the one of that name.

    Raises:
        StorageFull: it cannot be written; the old one is as it was.
    """
    path = folder / f"{name}{SUFFIX}"
    with disk_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        # With a name of its own, for two runs may write the same page at the same time.
        with NamedTemporaryFile("w", encoding="utf-8", dir=folder, suffix=".part", delete=False) as part:
            try:
                part.write(html)
                part.flush()
                os.fsync(part.fileno())
                Path(part.name).chmod(0o644)
                Path(part.name).replace(path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    return path
