"""The time of a month's checks, and of its load with all checks as one command, against the limit of one COPY."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from benchmarks.load_speed import MONTH
from benchmarks.pairs import Pairs, in_turn, spread
from benchmarks.report import Finding
from benchmarks.rivals import LIMIT, LIMIT_SEQUENCE
from benchmarks.workbench import Workbench
from taxi_platform.checks.facts import read_facts
from taxi_platform.checks.months import blocking_results, warning_results
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.services import YELLOW

SMALL_MONTH, SMALL_ROWS = MONTH.plus(1), 500
MOST_OF_LOAD, SPEEDUP = 0.35, 1.0
_MATERIALIZE = ("-m", "dagster", "asset", "materialize", "-m", "taxi_platform.definitions", "--select", YELLOW.table)


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare the checks with the load, and the command, less that of a small month, with the limit of one COPY."""
    file = bench.file(YELLOW, MONTH, rows)
    bench.file(YELLOW, SMALL_MONTH, SMALL_ROWS)

    def load() -> float:
        bench.empty(LIMIT)
        return load_month(bench.url, file).seconds

    def check() -> float:
        started = perf_counter()
        facts = read_facts(bench.url, YELLOW, MONTH, file.facts)
        results = [*blocking_results(YELLOW, facts), *warning_results(YELLOW, facts)]
        assert all(result.passed for result in results), results
        return perf_counter() - started

    def command() -> float:
        """Return the command's seconds above those of a small month, which contain Dagster's time."""
        bench.empty(LIMIT)
        small = bench.seconds(*_MATERIALIZE, "--partition", str(SMALL_MONTH))
        bench.empty(LIMIT)
        return bench.seconds(*_MATERIALIZE, "--partition", str(MONTH)) - small

    def limit() -> float:
        bench.empty(LIMIT)
        return bench.pour(file.path, *LIMIT_SEQUENCE)

    loads, checks, commands, limits = in_turn([load, check, command, limit], count)
    shares = [ours / other for ours, other in zip(checks, loads, strict=True)]
    yield Finding(
        f"all checks of a month of {rows:,} yellow rows, of its load",
        f"≤ {MOST_OF_LOAD} times its time",
        spread(shares),
        median(shares) <= MOST_OF_LOAD,
        f"{spread(checks)} s besides {spread(loads)} s",
    )
    speedups = Pairs(commands, limits).speedups
    yield Finding(
        f"dagster asset materialize of the same month with all its checks, above one of {SMALL_ROWS} rows, against "
        "the limit",
        f"≥ {SPEEDUP} times its speed",
        f"{spread(speedups)} times",
        median(speedups) >= SPEEDUP,
        f"{spread(commands)} s against {spread(limits)} s",
    )
    bench.empty(LIMIT)
