"""The time that the platform adds to Dagster's: importing the definitions, commands, a small month, a year."""

import json
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.pairs import in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN

FIRST, LAST = Month(2019, 1), Month(2019, 12)
ROWS = 500
MOST_SECONDS_OF_A_MONTH, MOST_SECONDS_OF_DEFINITIONS, MOST_SHARE_OF_A_RANGE = 1.0, 0.5, 0.2
HEAVY = ("pandas", "pyarrow", "polars", "numpy", "psycopg", "requests", "adbc_driver_postgresql", "google.api_core")

_TAXI = "import sys; from taxi_platform.cli.main import taxi; taxi(sys.argv[1:])"
_INSTANCE = "import dagster; dagster.DagsterInstance.get().get_runs(limit=1)"
MOST_SECONDS_OF_COMMANDS = {"--help": 0.3, "status": 1.5, "doctor": 2.5}

_VALIDATE = ("-m", "dagster", "definitions", "validate", "-m")
_MATERIALIZE = ("-m", "dagster", "asset", "materialize")
_TRIVIAL = (*_MATERIALIZE, "-m", "benchmarks.trivial", "--select", "trivial")
_MONTHS = (*_MATERIALIZE, "-m", "taxi_platform.definitions", "--select", GREEN.table)
_YEAR = ("--partition-range", f"{FIRST}...{LAST}")
_DEFINITIONS = "import dagster; from taxi_platform.definitions import defs; defs()"
_MODULES = f"import json, sys; {_DEFINITIONS}; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"


def measure_import(bench: Workbench, _rows: int, count: int) -> Iterator[Finding]:
    """Time ``dagster definitions validate`` above a trivial module's, and find what must not be imported."""
    pairs = in_pairs(
        lambda: bench.seconds(*_VALIDATE, "taxi_platform.definitions"),
        lambda: bench.seconds(*_VALIDATE, "benchmarks.trivial"),
        count,
    )
    imports = [bench.seconds("-c", "import dagster") for _ in range(count)]
    yield Finding(
        "dagster definitions validate, above the same for a trivial module",
        f"≤ {MOST_SECONDS_OF_DEFINITIONS} s",
        f"{spread(pairs.surpluses)} s",
        median(pairs.surpluses) <= MOST_SECONDS_OF_DEFINITIONS,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s; import dagster alone takes {spread(imports)} s",
    )
    found = json.loads(bench.run("-c", _MODULES))
    yield Finding(
        "heavy modules that the definitions import",
        "none",
        ", ".join(found) or "none",
        not found,
        f"of {', '.join(HEAVY)}",
    )


def measure_commands(bench: Workbench, _rows: int, count: int) -> Iterator[Finding]:
    """Time whole commands, and opening Dagster's instance without anything else."""
    bench.file(GREEN, FIRST, ROWS)
    bench.seconds(*_MONTHS, "--partition", str(FIRST))
    bare = [bench.seconds("-c", _INSTANCE) for _ in range(count)]
    for command, most in MOST_SECONDS_OF_COMMANDS.items():
        seconds = [bench.seconds("-c", _TAXI, command) for _ in range(count)]
        yield Finding(
            f"taxi {command}, the whole process",
            f"≤ {most} s",
            f"{spread(seconds)} s",
            median(seconds) <= most,
            f"importing Dagster and opening its instance alone takes {spread(bare)} s",
        )


def measure_month(bench: Workbench, _rows: int, count: int) -> Iterator[Finding]:
    """Compare ``dagster asset materialize`` of a small month, whose file is cached, with a trivial asset's."""
    bench.file(GREEN, FIRST, ROWS)

    def month() -> float:
        bench.empty()
        return bench.seconds(*_MONTHS, "--partition", str(FIRST))

    def trivial() -> float:
        bench.empty()
        return bench.seconds(*_TRIVIAL)

    pairs = in_pairs(month, trivial, count)
    yield Finding(
        f"dagster asset materialize of a month of {ROWS} rows, above a trivial asset in a trivial module",
        f"≤ {MOST_SECONDS_OF_A_MONTH} s",
        f"{spread(pairs.surpluses)} s",
        median(pairs.surpluses) <= MOST_SECONDS_OF_A_MONTH,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s",
    )


def measure_range(bench: Workbench, _rows: int, count: int) -> Iterator[Finding]:
    """Compare a year in one run with twelve runs of a month, each less the seconds that loading alone takes."""
    files = [bench.file(GREEN, month, ROWS) for month in FIRST.through(LAST)]

    def beyond_loading(files: Sequence[TripFile], *months: str) -> float:
        bench.empty()
        load = sum(load_month(bench.url, file).seconds for file in files)
        bench.empty()
        return bench.seconds(*_MONTHS, *months) - load

    def year() -> float:
        return beyond_loading(files, *_YEAR)

    def months() -> float:
        return len(files) * beyond_loading(files[:1], "--partition", str(FIRST))

    pairs = in_pairs(year, months, count)
    ratios = [ours / other for ours, other in zip(pairs.ours, pairs.other, strict=True)]
    yield Finding(
        f"twelve months of {ROWS} rows in one run, against twelve times one month's run, beyond loading",
        f"≤ {MOST_SHARE_OF_A_RANGE} of their time",
        spread(ratios, "{:.3f}"),
        median(ratios) <= MOST_SHARE_OF_A_RANGE,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s",
    )
    again = [bench.seconds(*_MONTHS, *_YEAR) for _ in range(count)]
    nothing = [bench.seconds(*_TRIVIAL) for _ in range(count)]
    yield Finding(
        "the same year once more, unchanged",
        "",
        f"{spread(again)} s",
        None,
        f"a trivial asset takes {spread(nothing)} s",
    )
