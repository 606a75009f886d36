"""Slots as files of one machine, for instances that keep their state there too."""

from pathlib import Path

from filelock import FileLock, Timeout

from taxi_platform.errors import disk_errors


class FileClaim:
    """A claim that is the lock on a file, which the kernel frees when the process dies.

    Args:
        folder: where the files lie, on a disk of this machine.
        job: what the slots are for.
        slots: how many there are.
    """

    def __init__(self, folder: Path, job: str, slots: int) -> None:
        self._locks = [FileLock(folder / f"{job}.{number}.lock") for number in range(1, slots + 1)]
        self._held: FileLock | None = None

    def try_take(self) -> bool:
        """Take any slot that is free.

        Raises:
            StorageFull: the folder cannot be written.
        """
        for lock in self._locks:
            path = Path(lock.lock_file)
            with disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
            self._held = lock
            return True
        return False

    def release(self) -> None:
        """Unlock the file."""
        if self._held is not None:
            self._held.release()
            self._held = None
