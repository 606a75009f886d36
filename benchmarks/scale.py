"""``python -m benchmarks.scale [COUNT …]``: time everything that grows with the number of partitions.

COUNT is the number of months of all raw files' and tables' assets together. This is not part of
``python -m benchmarks``, because the largest number takes minutes.
"""

import json
import sys
from dataclasses import replace

from benchmarks.workbench import describe, workbench
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

COUNTS = ("1000", "10000", "100000")
FIRST, EARLIEST, LATEST = Month(2009, 1), Month(1970, 1), Month(2999, 12)


def months_for(count: int) -> tuple[Month, Month]:
    """Return the first and last month for about this many partitions: from 2009 on, or all that the settings allow."""
    each = round(count / len(SERVICES) / 2)
    last = FIRST.plus(each - 1)
    return (FIRST, last) if last <= LATEST else (EARLIEST, LATEST)


def main(*counts: str) -> None:
    """Measure each number of partitions on a fresh server, and print a line of JSON for each."""
    for number, count in enumerate(counts or COUNTS):
        with workbench() as bench:
            if number == 0:
                print(describe(bench))
            first, last = months_for(int(count))
            own = {"TAXI_SOURCE": "sample:0.00001", "TAXI_FIRST_MONTH": str(first), "TAXI_LAST_MONTH": str(last)}
            measured = replace(bench, environment={**bench.environment, **own}).run("-m", "benchmarks.one_scale")
            print(json.dumps(json.loads(measured.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
