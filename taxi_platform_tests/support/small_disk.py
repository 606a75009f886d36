"""A disk of a few MiB that tests fill; it needs the right to mount."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

CHUNK = 64 * 1024


class SmallDisk:
    """A disk that is mounted on an empty folder.

    Args:
        folder: the mount point.
        mib: its size in MiB.

    Raises:
        PermissionError: this user is not root, or this system does not allow the mount.
    """

    def __init__(self, folder: Path, mib: int) -> None:
        self._folder = folder
        self._filler = folder / "filler"
        options = f"size={mib}m,mode=755"
        if os.geteuid() != 0 or shutil.which("mount") is None:
            raise PermissionError("only root can mount a small disk")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
        if mounted.returncode != 0:
            raise PermissionError(mounted.stderr.decode())

    def fill(self) -> None:
        """Fill the disk to the last byte."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (CHUNK, 1):
                with suppress(OSError):
                    while file.write(b"x" * size):
                        pass

    def free(self) -> None:
        """Free the space that ``fill`` has taken."""
        self._filler.unlink(missing_ok=True)

    def remove(self) -> None:
        """Unmount the disk; its content is lost."""
        subprocess.run(["umount", "--lazy", self._folder], check=True)
