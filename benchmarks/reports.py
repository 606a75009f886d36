"""What a report costs: the client's memory for different amounts of data, and the time of a month among many."""

import json
import time
from collections.abc import Iterator
from statistics import median
from urllib.parse import urlsplit

from benchmarks.made_up_models import fill
from benchmarks.pairs import in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.reports.queries import read_figures
from taxi_platform.trips.months import Month

MONTHS = list(Month(2019, 1).through(Month(2020, 12)))
MIB = 2**20
MOST_MIB, MOST_OF_ONE = 300, 1.2
_REPORT = ("-m", "benchmarks.one_report")


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """The report of 24 months of few and of many rows; a month's report among 24 months and alone."""
    medians: list[float] = []
    for size in (rows // 4, rows):
        fill(bench.url, MONTHS, size)
        made = [json.loads(bench.run(*_REPORT)) for _ in range(count)]
        assert all(one["trips"] == size * len(MONTHS) for one in made)
        peaks, seconds = [one["peak"] / MIB for one in made], [one["seconds"] for one in made]
        medians.append(median(peaks))
        yield Finding(
            f"peak client memory of the report of {len(MONTHS)} months of {size:,} rows",
            f"≤ {MOST_MIB} MiB",
            f"{spread(peaks, '{:.0f}')} MiB",
            median(peaks) <= MOST_MIB,
            f"a whole process of Dagster; the run takes {spread(seconds, '{:.1f}')} s, "
            f"{size * len(MONTHS) / median(seconds):,.0f} rows/s",
        )
    yield Finding("the same, from four times the rows", "the same", f"{medians[1] - medians[0]:+.0f} MiB", None)
    yield _month(bench, rows, count)


def _month(bench: Workbench, rows: int, count: int) -> Finding:
    """Compare the last month's report in a database of many months with a database of this month only."""
    with connect(bench.url) as connection:
        execute(connection, "create database one_month")
    alone = urlsplit(bench.url)._replace(path="/one_month").geturl()
    fill(alone, MONTHS[-1:], rows)
    pairs = in_pairs(lambda: _asking(bench.url), lambda: _asking(alone), count)
    ratios = [ours / other for ours, other in zip(pairs.ours, pairs.other, strict=True)]
    return Finding(
        f"counting a month of {rows:,} rows among {len(MONTHS)} months, against the same month alone",
        f"≤ {MOST_OF_ONE} of its time",
        spread(ratios),
        median(ratios) <= MOST_OF_ONE,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s",
    )


def _asking(url: str) -> float:
    """Return the seconds until all figures of the last month are read, the only part that could grow."""
    began = time.perf_counter()
    assert list(read_figures(url, MONTHS[-1:], {}))
    return time.perf_counter() - began
