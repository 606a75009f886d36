"""How fast a month loads as Parquet, against the same month as ``.csv.gz``, and how much memory that takes."""

from collections.abc import Iterator
from statistics import median

from benchmarks.load_speed import MONTH, figures
from benchmarks.pairs import in_pairs, spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.postgres.loader import load_month
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.services import YELLOW

MIB = 2**20
SPEEDUP = 1.2
MOST_MIB = 250
TLCS_ROW_GROUP = 182_000
_BARE = "import dagster; from benchmarks.load_once import peak_memory; print(peak_memory())"
_LOADING = "import dagster, sys; from benchmarks.load_once import main; main(*sys.argv[1:])"


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Time both loads in turn within this process; measure memory with row groups of two sizes in their own."""
    zipped = bench.file(YELLOW, MONTH, rows)
    published = bench.folder / "published-parquet"
    path = published / f"{YELLOW.table}_{MONTH}.parquet"

    def publish(row_group: int) -> None:
        bench.run("-m", "benchmarks.publish_parquet", YELLOW.name, str(zipped.path), str(path), str(row_group))

    publish(TLCS_ROW_GROUP)
    parquet = Cache(bench.folder / "raw-parquet", FolderSource(published)).get(YELLOW, MONTH).file

    def load_parquet() -> float:
        bench.empty()
        return load_month(bench.url, parquet).seconds

    def load_csv() -> float:
        bench.empty()
        return load_month(bench.url, zipped).seconds

    pairs = in_pairs(load_parquet, load_csv, count)
    rates = [rows / seconds for seconds in pairs.ours]
    yield Finding(
        f"load of {rows:,} yellow rows as Parquet, against the same rows as .csv.gz",
        f"≥ {SPEEDUP} times its speed",
        f"{spread(pairs.speedups)} times",
        median(pairs.speedups) >= SPEEDUP,
        f"{spread(pairs.ours)} s against {spread(pairs.other)} s; {spread(rates, '{:,.0f}')} rows/s",
    )
    bare = int(bench.run("-c", _BARE)) / MIB
    for row_group in (TLCS_ROW_GROUP, rows):
        publish(row_group)
        bench.empty()
        raw = str(bench.folder / f"raw-{row_group}")
        peak = figures(bench.run("-c", _LOADING, YELLOW.name, str(MONTH), str(published), raw))["peak"] / MIB
        yield Finding(
            f"peak client memory to verify and load them, {row_group:,} rows in a row group, above Dagster",
            f"≤ {MOST_MIB} MiB",
            f"{peak - bare:.0f} MiB",
            peak - bare <= MOST_MIB,
            f"{peak:.0f} MiB against {bare:.0f} MiB; the file has {path.stat().st_size / MIB:,.0f} MiB",
        )
    bench.empty()
