"""The client's memory and disk that a load needs, for months of different sizes."""

from collections.abc import Iterator
from statistics import median

from benchmarks.load_speed import MONTH, figures, load_once
from benchmarks.pairs import spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.trips.services import YELLOW

MIB = 2**20
MOST_MIB = 100
SAME_MIB = 10
NOTHING_MIB = 1

# Programs that import Dagster first, as every process of a run does.
_BARE = "import dagster; from benchmarks.load_once import peak_memory; print(peak_memory())"
_LOADING = "import dagster, sys; from benchmarks.load_once import main; main(*sys.argv[1:])"


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Measure peak memory at one and at four times the rows, and the bytes written in addition to the file."""
    bare = [int(bench.run("-c", _BARE)) / MIB for _ in range(count)]
    peaks: dict[int, list[float]] = {}
    for size in (rows, 4 * rows):
        file = bench.file(YELLOW, MONTH, size)
        peaks[size] = []
        for _ in range(count):
            bench.empty()
            peaks[size].append(figures(bench.run("-c", _LOADING, *load_once(bench)[2:]))["peak"] / MIB)
        more = [peak - median(bare) for peak in peaks[size]]
        yield Finding(
            f"peak client memory of a load of {file.rows:,} rows, above Python with Dagster imported",
            f"≤ {MOST_MIB} MiB",
            f"{spread(more, '{:.0f}')} MiB",
            median(more) <= MOST_MIB,
            f"{spread(peaks[size], '{:.0f}')} MiB against {spread(bare, '{:.0f}')} MiB; "
            f"the CSV has {file.csv_bytes / MIB:,.0f} MiB",
        )
    small, large = (median(peak) for peak in peaks.values())
    yield Finding(
        "the same, at four times the rows",
        f"the same, within {SAME_MIB} MiB",
        f"{large - small:+.0f} MiB",
        large - small <= SAME_MIB,
    )


def measure_disk(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Measure the bytes that a load writes to the client's disk, in addition to the published file."""
    file = bench.file(YELLOW, MONTH, rows)
    beside = []
    for number in range(count):
        bench.empty()
        written = figures(bench.run("-B", *load_once(bench, raw=f"raw-{number}")))["written"]
        beside.append((written - file.bytes) / MIB)
    yield Finding(
        f"bytes written to the client's disk to fetch and load {rows:,} rows, beside the .csv.gz",
        f"no uncompressed copy: ≤ {NOTHING_MIB} MiB",
        f"{spread(beside)} MiB",
        median(beside) <= NOTHING_MIB,
        f".csv.gz {file.bytes / MIB:,.0f} MiB, CSV {file.csv_bytes / MIB:,.0f} MiB",
    )
