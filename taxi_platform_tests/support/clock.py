"""A clock that tests set, and that processes take for the time of day."""

import datetime
from collections.abc import Mapping
from pathlib import Path

LIBRARIES = Path("/usr/lib")
# Python sleeps until a time of the monotonic clock, which libfaketime 0.9.10 mistakes for a time of day.
# Schedules are evaluated every two seconds: after the clock was set, the end of the minute is not when it was expected.
PRELUDE = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
import dagster._daemon.controller, dagster._scheduler.scheduler
dagster._scheduler.scheduler._get_next_scheduler_iteration_time = lambda start: start + 2
"""


class Clock:
    """The time for processes with its variables: it runs on, and can be set while they run.

    Args:
        file: the path of a new file that holds the time.
        now: the time from now on, with its zone.

    Raises:
        FileNotFoundError: libfaketime is not installed.
    """

    def __init__(self, file: Path, now: datetime.datetime) -> None:
        self._file = file
        self._library = next(LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"), None)
        if self._library is None:
            raise FileNotFoundError("libfaketime is not installed: apt-get install faketime")
        self.set(now)

    def set(self, now: datetime.datetime) -> None:
        """Set the time, which every process follows within a second."""
        ahead = now - datetime.datetime.now(datetime.timezone.utc)
        self._file.write_text(f"{ahead.total_seconds():+.3f}")

    def environment(self) -> Mapping[str, str]:
        """Return the variables of a process that follows the clock; its Python must run ``PRELUDE`` first."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # so that waits last as long as they should
            "NO_FAKE_STAT": "1",
        }
