"""How much time the checks of a month add to its load."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from benchmarks.pairs import Pairs, in_turn, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.checks.facts import read_facts
from taxi_platform.checks.months import blocking_results, warning_results
from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import YELLOW

MONTH = Month(2019, 1)
TARGET = 1.0


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare all checks of a month, in a running process, with its load and with computing the md5 of its ids."""
    file = bench.file(YELLOW, MONTH, rows)
    raw = file.verified

    def check() -> float:
        started = perf_counter()
        facts = read_facts(bench.url, YELLOW, MONTH, raw)
        results = [*blocking_results(YELLOW, facts), *warning_results(YELLOW, facts)]
        assert all(result.passed for result in results), results
        return perf_counter() - started

    def ids() -> float:
        started = perf_counter()
        with connect(bench.url) as connection:
            partition = tables.partition_of(YELLOW, MONTH)
            execute(connection, f"select count(*) - count(distinct unique_row_id) from {partition}").fetchone()
        return perf_counter() - started

    def load() -> float:
        bench.empty()
        return load_month(bench.url, file).seconds

    loads, checks, md5 = in_turn([load, check, ids], count)
    shares = [ours / other for ours, other in zip(checks, loads, strict=True)]
    yield Finding(
        f"all checks of a month of {rows:,} yellow rows, of its load",
        f"≤ {TARGET} times its time",
        spread(shares),
        median(shares) <= TARGET,
        f"{spread(checks)} s besides {spread(loads)} s",
    )
    yield Finding(
        f"the same, against looking for equal ids by their md5 among {rows:,} rows",
        "faster",
        f"{spread(Pairs(checks, md5).speedups)} times",
        median(Pairs(checks, md5).speedups) > 1,
        f"{spread(checks)} s against {spread(md5)} s",
    )
    bench.empty()
