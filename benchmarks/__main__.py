"""``python -m benchmarks``: run all short measurements, or those named by ``--only``, and print a table at the end."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from benchmarks import (
    backfills,
    course_set,
    dagster_runs,
    lake_speed,
    load_speed,
    memory,
    models,
    parquet_speed,
    quality,
    reports,
    sample_speed,
    verification,
    warehouse_speed,
)
from benchmarks.report import Finding, as_markdown, as_text
from benchmarks.workbench import Workbench, describe, workbench

Measure = Callable[[Workbench, int, int], Iterator[Finding]]

# The measurements with their number of rows (0 if it is fixed) and of pairs. Together they take less than 15 minutes
# on two idle processors. The targets are for these sizes.
MEASUREMENTS: dict[str, tuple[Measure, int, int]] = {
    "import": (dagster_runs.measure_import, 0, 3),
    "commands": (dagster_runs.measure_commands, 0, 3),
    "month": (dagster_runs.measure_month, 0, 3),
    "month of models": (models.measure_small_month, 0, 2),
    "models of a month": (models.measure_month, 2_000_000, 2),
    "range": (dagster_runs.measure_range, 0, 2),
    "status": (backfills.measure_status, 0, 3),
    "sample": (sample_speed.measure, 1_000_000, 1),
    "load": (load_speed.measure, 2_000_000, 3),
    "parquet": (parquet_speed.measure, 2_000_000, 2),
    "quality": (quality.measure, 2_000_000, 3),
    "lake": (lake_speed.measure, 1_000_000, 2),
    "warehouse": (warehouse_speed.measure, 0, 3),
    "verification": (verification.measure, 2_000_000, 2),
    "identifier": (verification.measure_identifier, 1_000_000, 2),
    "disk": (memory.measure_disk, 1_000_000, 2),
    "memory": (memory.measure, 1_000_000, 2),
    "report": (reports.measure, 1_000_000, 1),
}
# Measurements that take two to six minutes each, or have nothing to compare with; they run only with ``--only``.
LONG: dict[str, tuple[Measure, int, int]] = {
    "backfill": (backfills.measure, 0, 1),
    "course set": (course_set.measure, 36_000_000, 1),
    "fhvhv": (parquet_speed.measure_fhvhv, 2_000_000, 1),
    "models": (models.measure, 300_000, 2),
}


@click.command()
@click.option("--rows", type=int, help="Rows of the month, instead of each measurement's own number.")
@click.option("--pairs", type=click.IntRange(1), help="Runs of each, in turn, instead of its own number.")
@click.option(
    "--only", multiple=True, type=click.Choice([*MEASUREMENTS, *LONG]), help="Measure this alone; repeatable."
)
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table there, too.")
def main(rows: int | None, pairs: int | None, only: tuple[str, ...], markdown: Path | None) -> None:
    """Measure speed and size of the platform: all but the long measurements, in about a quarter of an hour.

    A measurement that fails is a line of the table, and the others go on.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped on SIGTERM, too
    findings: list[Finding] = []
    began = time.monotonic()
    with workbench() as bench:
        machine = f"{describe(bench)}; interleaved pairs, medians (minimum … maximum)"
        for name in only or MEASUREMENTS:
            measure, default_rows, default_pairs = (MEASUREMENTS | LONG)[name]
            started = time.monotonic()
            try:
                for finding in measure(bench, rows or default_rows, pairs or default_pairs):
                    click.echo(f"\n{as_text(finding)}")
                    findings.append(finding)
            except Exception as error:  # the other measurements do not depend on this one
                findings.append(Finding(name, "runs through", str(error).strip().splitlines()[-1], met=False))
                click.echo(f"\n{name} failed: {error}")
            click.echo(f"    ({name}: {time.monotonic() - started:.0f} s)")
    table = as_markdown(machine, findings)
    click.echo(f"\n{table}\nAll of it took {(time.monotonic() - began) / 60:.1f} minutes.")
    if markdown:
        markdown.write_text(table, encoding="utf-8")
    sys.exit(any(finding.met is False for finding in findings))


if __name__ == "__main__":
    main()
