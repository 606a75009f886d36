"""The course's first year, loaded from the sample by one ``taxi backfill``: speed, whether it slows down, memory, disk.

``python -m benchmarks.course_set`` prints the times that Dagster has recorded as JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import dagster as dg

from benchmarks.report import Finding
from benchmarks.workbench import Workbench
from taxi_platform.ledger.event_metadata import plain_values
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.settings import PROJECT
from taxi_platform.sources.sample import rows_of_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, YELLOW

SERVICES = (YELLOW, GREEN, FHV)
MONTHS = list(Month(2019, 1).through(Month(2019, 12)))
MOST_GROWTH, MOST_MIB = 1.1, 300
MIB, GIB = 2**20, 2**30
_BACKFILL = ("-m", "taxi_platform", "backfill", ",".join(service.name for service in SERVICES), "2019-01..2019-12")


def measure(bench: Workbench, rows: int, _count: int) -> Iterator[Finding]:
    """Load about ``rows`` rows in total, once: one run for each service, in the command's process."""
    full = sum(rows_of_month(service, month, 1) for service in SERVICES for month in MONTHS)
    bench.empty()
    environment = {**bench.environment, "TAXI_SOURCE": f"sample:{min(1.0, rows / full):.4f}"}
    began = time.perf_counter()
    client, together = _peaks(bench, environment)
    seconds = time.perf_counter() - began
    recorded = subprocess.run(
        [sys.executable, "-m", "benchmarks.course_set"], env=environment, cwd=PROJECT, capture_output=True, check=True
    )
    yield from _speed(json.loads(recorded.stdout), seconds, full)
    yield Finding(
        "the peak memory of the command",
        f"≤ {MOST_MIB} MiB",
        f"{client / MIB:.0f} MiB",
        client <= MOST_MIB * MIB,
        f"{together / MIB:.0f} MiB with all processes of the server, shared memory once",
    )
    yield _disk(bench)


def _speed(runs: list[dict[str, Any]], seconds: float, full: int) -> Iterator[Finding]:
    """Yield the speed of the runs, which took ``seconds`` in total, and whether they became slower."""
    loaded = sum(months["rows"] for run in runs for months in run["months"])
    loading, checking = (sum(run[step] for run in runs) for step in ("loading", "checking"))
    copying = sum(month["seconds"] for run in runs for month in run["months"])
    share = f"{loaded:,} rows, {loaded / full:.2f} of the real number"
    yield Finding(
        "taxi backfill of yellow, green and fhv 2019-01..2019-12 from the sample, as one command",
        "",
        f"{loaded / seconds:,.0f} rows/s",
        None,
        f"{share}; {seconds:.0f} s, {loading - copying:.0f} s of them for generating and fetching",
    )
    yield Finding("the same, the loads alone", "", f"{loaded / copying:,.0f} rows/s", None, f"{copying:.0f} s")
    yield Finding(
        "the same, loads and checks",
        "",
        f"{loaded / (copying + checking):,.0f} rows/s",
        None,
        f"{checking:.0f} s of checks, {checking / copying:.2f} of the loads",
    )
    growths = [_pace(run["months"][-3:]) / _pace(run["months"][:3]) for run in runs]
    yield Finding(
        "time per row of the last three months, against the first three; median of the services",
        f"≤ {MOST_GROWTH} times",
        f"{median(growths):.2f} times",
        median(growths) <= MOST_GROWTH,
        ", ".join(f"{run['asset']} {growth:.2f}" for run, growth in zip(runs, growths, strict=True)),
    )


def _disk(bench: Workbench) -> Finding:
    """Return the disk space of the tables, the raw files and the write-ahead log."""
    with connect(bench.url) as connection:
        (tables,) = execute(connection, "select pg_database_size(current_database())").fetchone() or (0,)
    files = sum(path.stat().st_size for path in (bench.folder / "raw").rglob("*") if path.is_file())
    log = sum(path.stat().st_size for path in (bench.folder / "postgres/data/pg_wal").iterdir() if path.is_file())
    result = f"{(tables + files + log) / GIB:.1f} GiB"
    of_it = f"tables {tables / GIB:.1f}, raw files {files / GIB:.1f}, write-ahead log {log / GIB:.1f} GiB"
    return Finding("disk", "", result, None, of_it)


def _pace(months: list[dict[str, float]]) -> float:
    """Return the seconds per row of these months."""
    return sum(month["seconds"] for month in months) / sum(month["rows"] for month in months)


def _peaks(bench: Workbench, environment: dict[str, str]) -> tuple[int, int]:
    """Run the command, and return its peak memory and that of the command and the server's processes together."""
    server = int((bench.folder / "postgres/data/postmaster.pid").read_text().split()[0])
    client = together = 0
    with subprocess.Popen(
        [sys.executable, *_BACKFILL], env=environment, cwd=PROJECT, stdout=subprocess.DEVNULL
    ) as command:
        while command.poll() is None:
            own = _memory(command.pid)
            client, together = max(client, own), max(together, own + sum(map(_memory, [server, *_children(server)])))
            time.sleep(0.2)
    if command.returncode:
        raise RuntimeError(f"taxi backfill ended with status {command.returncode}")
    return client, together


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _memory(process: int) -> int:
    """Return the bytes of memory of a process, with its share of shared memory; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def recorded_runs() -> Iterator[dict[str, Any]]:
    """Yield for each service the seconds of loading and checking, and the rows and seconds of each month's load."""
    with dg.DagsterInstance.get() as instance:
        for service in SERVICES:
            key = dg.AssetKey(service.table)
            found = instance.fetch_materializations(key, len(MONTHS), ascending=True).records
            months = {
                str(record.partition_key): plain_values(record.asset_materialization.metadata)
                for record in found
                if record.asset_materialization
            }
            steps = {
                step.step_key: (step.end_time or 0) - (step.start_time or 0)
                for step in instance.get_run_step_stats(found[0].run_id)
            }
            checking = steps.pop(f"{service.table}_checks")
            yield {
                "asset": service.table,
                "loading": sum(steps.values()),
                "checking": checking,
                "months": [
                    {"rows": month["rows_loaded"], "seconds": month["seconds"]} for _, month in sorted(months.items())
                ],
            }


if __name__ == "__main__":
    print(json.dumps(list(recorded_runs())))
