"""How fast a month is loaded: against the limit of one COPY, and against the course's sequence."""

import json
from collections.abc import Iterator
from statistics import median

from benchmarks.pairs import Pairs, in_pairs, spread
from benchmarks.report import Finding
from benchmarks.rivals import COURSE_SEQUENCE, FINAL, LIMIT, LIMIT_SEQUENCE, STAGING
from benchmarks.workbench import Workbench
from taxi_platform.months import Month
from taxi_platform.postgres.loader import load_month
from taxi_platform.services import YELLOW
from taxi_platform.trip_files import TripFile

MONTH = Month(2019, 1)
LIMIT_SPEEDUP, COURSE_SPEEDUP = 1.4, 5.0


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """The whole client process and the pure load against the limit; the whole process against the course."""
    file = bench.file(YELLOW, MONTH, rows)

    def process() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return bench.seconds(*load_once(bench))

    def load() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return load_month(bench.url, file, lambda _: None).seconds

    def limit() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return bench.pour(file.path, *LIMIT_SEQUENCE)

    def course() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return bench.pour(file.path, *COURSE_SEQUENCE)

    what = f"load of {rows:,} yellow rows, verified and attached"
    yield _finding(f"{what}: whole client process", "the limit", in_pairs(process, limit, count), LIMIT_SPEEDUP, file)
    yield _finding(f"{what}: within a running process", "the limit", in_pairs(load, limit, count), LIMIT_SPEEDUP, file)
    yield _finding(
        f"{what}: whole client process", "the course's sequence", in_pairs(process, course, count), COURSE_SPEEDUP, file
    )
    bench.empty(LIMIT, STAGING, FINAL)


def load_once(bench: Workbench, raw: str = "raw") -> list[str]:
    """The command of a client that loads ``MONTH`` and ends."""
    where = (str(bench.published), str(bench.folder / raw))
    return ["-m", "benchmarks.load_once", YELLOW.name, str(MONTH), *where]


def figures(printed: str) -> dict[str, float]:
    """What ``load_once`` printed."""
    return json.loads(printed)


def _finding(what: str, rival: str, pairs: Pairs, target: float, file: TripFile) -> Finding:
    speedup = pairs.speedups
    rate = [file.rows / seconds for seconds in pairs.ours]
    return Finding(
        f"{what}, against {rival}",
        f"≥ {target} times its speed",
        f"{spread(speedup)} times",
        median(speedup) >= target,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s; {spread(rate, '{:,.0f}')} rows/s",
    )
