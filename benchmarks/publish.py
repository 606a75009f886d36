"""``python -m benchmarks.publish SERVICE MONTH ROWS PATH``: write a file of the sample and print the seconds."""

import sys
import time
from pathlib import Path

from taxi_platform.sources.sample_trips import write_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES


def main(service: str, month: str, rows: str, path: str) -> None:
    """Write a sample month with this many rows and print the seconds."""
    started = time.perf_counter()
    write_month(SERVICES[service], Month.parse(month), int(rows), Path(path))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
