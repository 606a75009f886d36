"""``python -m benchmarks.load_once SERVICE MONTH PUBLISHED RAW``: fetch and load one month, print the costs as JSON.

The process is a whole client; libpq's environment variables name the database.
"""

import json
import sys
import time
from pathlib import Path

from taxi_platform.postgres.loader import load_month
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES


def main(service: str, month: str, published: str, raw: str) -> None:
    """Load a month and print its rows, the seconds of load and processor, and peak memory and written data in bytes."""
    files = Cache(Path(raw), FolderSource(Path(published)))
    file = files.get(SERVICES[service], Month.parse(month)).file
    loaded = load_month("postgresql://", file)
    figures = {"rows": loaded.rows, "seconds": loaded.seconds, "peak": peak_memory(), "written": bytes_written()}
    print(json.dumps(figures | {"cpu": time.process_time()}))


def peak_memory() -> int:
    """Return the most bytes of memory that this process has held at any time.

    Not ``resource.getrusage``: its figure is at least that of the process that started this one.
    """
    return int(_kernel("status")["VmHWM"].split()[0]) * 1024


def bytes_written() -> int:
    """Return the bytes that this process has written to files, without those that go to the server."""
    return int(_kernel("io")["write_bytes"])


def _kernel(file: str) -> dict[str, str]:
    lines = Path(f"/proc/self/{file}").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


if __name__ == "__main__":
    main(*sys.argv[1:])
