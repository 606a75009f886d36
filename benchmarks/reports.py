"""The time and the client's memory of reports, and the time to count a month among many months."""

import json
import time
from collections.abc import Iterator, Mapping
from statistics import median
from urllib.parse import urlsplit

from benchmarks.made_up_models import fill, pretend_build
from benchmarks.pairs import in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.reports.queries import read_figures
from taxi_platform.trips.months import Month

MONTHS = list(Month(2019, 1).through(Month(2020, 12)))
MIB = 2**20
MOST_SECONDS, MOST_MIB, MOST_OF_ONE = 12.0, 300, 1.2
_REPORT = ("-m", "benchmarks.one_report")


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Time the report of 24 months, of which none or all but one are counted, and counting a month."""
    fill(bench.url, MONTHS, rows)
    first = json.loads(bench.run(*_REPORT))
    made = [_report_of_a_new_month(bench) for _ in range(count)]
    assert all(one["trips"] == rows * len(MONTHS) for one in (first, *made))
    peaks, seconds = [one["peak"] / MIB for one in (first, *made)], [one["seconds"] for one in made]
    yield Finding(
        f"the report of {len(MONTHS)} months of {rows:,} rows, one of them built since the last report",
        f"≤ {MOST_SECONDS:.0f} s",
        f"{spread(seconds, '{:.1f}')} s",
        median(seconds) <= MOST_SECONDS,
        f"{first['seconds']:.1f} s when no month is counted yet",
    )
    yield Finding(
        "the peak client memory of these reports",
        f"≤ {MOST_MIB} MiB",
        f"{spread(peaks, '{:.0f}')} MiB",
        max(peaks) <= MOST_MIB,
        "a whole process of Dagster",
    )
    yield _month(bench, rows, count)


def _report_of_a_new_month(bench: Workbench) -> Mapping[str, float]:
    pretend_build(bench.url, MONTHS[-1])
    return json.loads(bench.run(*_REPORT))


def _month(bench: Workbench, rows: int, count: int) -> Finding:
    """Compare counting the last month in a database of many months with a database of this month only."""
    with connect(bench.url) as connection:
        execute(connection, "create database one_month")
    alone = urlsplit(bench.url)._replace(path="/one_month").geturl()
    fill(alone, MONTHS[-1:], rows)
    pairs = in_pairs(lambda: _count(bench.url), lambda: _count(alone), count)
    ratios = [ours / other for ours, other in zip(pairs.ours, pairs.other, strict=True)]
    return Finding(
        f"counting a month of {rows:,} rows among {len(MONTHS)} months, against the same month alone",
        f"≤ {MOST_OF_ONE} of its time",
        spread(ratios),
        median(ratios) <= MOST_OF_ONE,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s",
    )


def _count(url: str) -> float:
    """Return the seconds of counting all figures of the last month, the only part that could grow."""
    pretend_build(url, MONTHS[-1])
    began = time.perf_counter()
    assert list(read_figures(url, MONTHS[-1:], {}))
    return time.perf_counter() - began
