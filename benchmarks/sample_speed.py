"""The speed at which the sample makes its files, because most benchmarks start with one."""

from collections.abc import Iterator
from statistics import median

from benchmarks.load_speed import MONTH
from benchmarks.pairs import spread
from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.trips.services import SERVICES, YELLOW

LEAST_RATE = 1_000_000


def measure(bench: Workbench, rows: int, count: int) -> Iterator[Finding]:
    """Measure the rows per second of each service, until the ``.csv.gz`` is written."""
    for service in SERVICES.values():
        path = bench.folder / f"{service.name}.csv.gz"
        program = ("-m", "benchmarks.publish", service.name, str(MONTH), str(rows), str(path))
        rates = [rows / float(bench.run(*program)) for _ in range(count)]
        size = path.stat().st_size
        path.unlink()
        yield Finding(
            f"the sample makes {rows:,} {service.name} rows",
            f"≥ {LEAST_RATE:,} rows/s" if service is YELLOW else "",
            f"{spread(rates, '{:,.0f}')} rows/s",
            median(rates) >= LEAST_RATE if service is YELLOW else None,
            f"{size / rows:.0f} bytes a row, compressed",
        )
