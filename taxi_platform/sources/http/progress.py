"""How a long download tells that it is alive."""

import time

from taxi_platform.sources.source import Log

MIB = 1024 * 1024


class Progress:
    """Reports bytes received, of how many, and how fast, at most once in ``every`` seconds.

    Args:
        name: the file's name.
        log: where to report.
        every: seconds between two reports.
    """

    def __init__(self, name: str, log: Log, every: float) -> None:
        self._name = name
        self._log = log
        self._every = every
        self._received = 0
        self._began = self._told = time.monotonic()

    def received(self, size: int, done: int, total: int | None) -> None:
        """``size`` bytes more have come; the file has ``done`` of its ``total`` bytes, which may be unknown."""
        self._received += size
        now = time.monotonic()
        if now - self._told < self._every:
            return
        self._told = now
        of = f" of {total / MIB:,.1f}" if total is not None else ""
        rate = self._received / MIB / (now - self._began)
        self._log(f"{self._name}: {done / MIB:,.1f}{of} MiB, {rate:,.1f} MiB/s")
