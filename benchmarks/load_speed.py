"""The speed of loading a month, against the limit of one COPY and against the course's sequence."""

import json
from collections.abc import Iterator
from statistics import median

from benchmarks.pairs import Pairs, in_turn, spread
from benchmarks.report import Finding
from benchmarks.rivals import COURSE_SEQUENCE, FINAL, LIMIT, LIMIT_SEQUENCE, STAGING
from benchmarks.workbench import Workbench
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import YELLOW

MONTH = Month(2019, 1)
LIMIT_SPEEDUP, COURSE_SPEEDUP = 1.5, 5.0


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare a load within a running process, and a whole client process, with both rivals."""
    file = bench.file(YELLOW, MONTH, rows)

    def process() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return bench.seconds(*load_once(bench))

    def load() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return load_month(bench.url, file).seconds

    def limit() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return bench.pour(file.path, *LIMIT_SEQUENCE)

    def course() -> float:
        bench.empty(LIMIT, STAGING, FINAL)
        return bench.pour(file.path, *COURSE_SEQUENCE)

    within, whole, one_copy, three_steps = in_turn([load, process, limit, course], count)
    for ours, where in ((within, "within a running process"), (whole, "whole client process")):
        what = f"load of {rows:,} yellow rows, verified and attached, {where}"
        yield _finding(f"{what}, against the limit", Pairs(ours, one_copy), LIMIT_SPEEDUP, rows)
        yield _finding(f"{what}, against the course's sequence", Pairs(ours, three_steps), COURSE_SPEEDUP, rows)
    bench.empty(LIMIT, STAGING, FINAL)


def load_once(bench: Workbench, raw: str = "raw") -> list[str]:
    """Return the command of a client that loads ``MONTH`` and ends."""
    where = (str(bench.published), str(bench.folder / raw))
    return ["-m", "benchmarks.load_once", YELLOW.name, str(MONTH), *where]


def figures(printed: str) -> dict[str, float]:
    """Return the figures that ``load_once`` printed."""
    return json.loads(printed)


def _finding(what: str, pairs: Pairs, target: float, rows: int) -> Finding:
    rates = [rows / seconds for seconds in pairs.ours]
    return Finding(
        what,
        f"≥ {target} times its speed",
        f"{spread(pairs.speedups)} times",
        median(pairs.speedups) >= target,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s; {spread(rates, '{:,.0f}')} rows/s",
    )
