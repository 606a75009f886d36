"""The speed of loading Parquet, against ``.csv.gz`` and between services, and the memory that it takes."""

from collections.abc import Iterator
from statistics import median

from benchmarks.load_speed import MONTH, figures
from benchmarks.pairs import in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.postgres.loader import load_month
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.services import FHVHV, YELLOW, Service

MIB = 2**20
SPEEDUP = 1.2
MOST_MIB = 250
TLCS_ROW_GROUP = 182_000
_BARE = "import dagster; from benchmarks.load_once import peak_memory; print(peak_memory())"
_LOADING = "import dagster, sys; from benchmarks.load_once import main; main(*sys.argv[1:])"


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare loads of Parquet and ``.csv.gz`` within this process, and measure memory for two sizes of row groups."""
    zipped = bench.file(YELLOW, MONTH, rows)
    parquet = published(bench, YELLOW, rows)
    pairs = in_pairs(lambda: load(bench, parquet), lambda: load(bench, zipped), count)
    rates = [rows / seconds for seconds in pairs.ours]
    yield Finding(
        f"load of {rows:,} yellow rows as Parquet, against the same rows as .csv.gz",
        f"≥ {SPEEDUP} times its speed",
        f"{spread(pairs.speedups)} times",
        median(pairs.speedups) >= SPEEDUP,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s; {spread(rates, '{:,.0f}')} rows/s",
    )
    for row_group in (TLCS_ROW_GROUP, rows):
        yield memory(bench, YELLOW, rows, row_group)
    bench.empty()


def measure_fhvhv(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Compare loads of fhvhv with loads of as many yellow rows, and measure the memory of a load of fhvhv."""
    files = [published(bench, service, rows) for service in (FHVHV, YELLOW)]
    pairs = in_pairs(lambda: load(bench, files[0]), lambda: load(bench, files[1]), count)
    rates = [rows / seconds for seconds in pairs.ours]
    yield Finding(
        f"load of {rows:,} fhvhv rows as Parquet, against as many of yellow",
        "the same rows/s",
        f"{spread(pairs.speedups)} times",
        None,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s; {spread(rates, '{:,.0f}')} rows/s",
    )
    yield memory(bench, FHVHV, rows, TLCS_ROW_GROUP)
    bench.empty()


def published(bench: Workbench, service: Service, rows: int, row_group: int = TLCS_ROW_GROUP) -> TripFile:
    """Return a generated month as a Parquet file, verified and cached."""
    bench.publish(service, MONTH, rows)
    folder = bench.folder / "published-parquet"
    path = folder / f"{service.table}_{MONTH}.parquet"
    zipped = bench.published / f"{service.file_name(MONTH)}.gz"
    bench.run("-m", "benchmarks.publish_parquet", service.name, str(zipped), str(path), str(row_group))
    return Cache(bench.folder / "raw-parquet", FolderSource(folder)).get(service, MONTH).file


def load(bench: Workbench, file: TripFile) -> float:
    """Return the seconds of a load into an empty database."""
    bench.empty()
    return load_month(bench.url, file).seconds


def memory(bench: Workbench, service: Service, rows: int, row_group: int) -> Finding:
    """Return the peak memory of a process that verifies and loads a month, minus that of importing Dagster."""
    file = published(bench, service, rows, row_group)
    bench.empty()
    bare = int(bench.run("-c", _BARE)) / MIB
    raw = str(bench.folder / f"raw-{row_group}")
    folder = str(bench.folder / "published-parquet")
    peak = figures(bench.run("-c", _LOADING, service.name, str(MONTH), folder, raw))["peak"] / MIB
    return Finding(
        f"peak client memory to load {rows:,} {service.name} rows, {row_group:,} in a row group, above Dagster",
        f"≤ {MOST_MIB} MiB",
        f"{peak - bare:.0f} MiB",
        peak - bare <= MOST_MIB,
        f"{peak:.0f} MiB against {bare:.0f} MiB; the file has {file.bytes / MIB:,.0f} MiB",
    )
