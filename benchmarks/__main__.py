"""``python -m benchmarks``: measure everything, or what ``--only`` names, and print it as it comes."""

import signal
import sys
from pathlib import Path

import click

from benchmarks import (
    backfills,
    dagster_runs,
    lake_speed,
    load_speed,
    memory,
    models,
    quality,
    reports,
    sample_speed,
    verification,
    warehouse_speed,
)
from benchmarks.report import as_markdown, as_text
from benchmarks.workbench import describe, workbench

MEASUREMENTS = {
    "import": dagster_runs.measure_import,
    "commands": dagster_runs.measure_commands,
    "month": dagster_runs.measure_month,
    "range": dagster_runs.measure_range,
    "backfill": backfills.measure,
    "status": backfills.measure_status,
    "sample": sample_speed.measure,
    "load": load_speed.measure,
    "quality": quality.measure,
    "lake": lake_speed.measure,
    "warehouse": warehouse_speed.measure,
    "verification": verification.measure,
    "identifier": verification.measure_identifier,
    "disk": memory.measure_disk,
    "memory": memory.measure,
    "models": models.measure,
    "report": reports.measure,
}


@click.command()
@click.option("--rows", default=2_000_000, show_default=True, help="Rows of the month that is loaded.")
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1), help="Runs of each, in turn.")
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="Measure this alone; repeatable.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table there, too.")
def main(rows: int, pairs: int, only: tuple[str, ...], markdown: Path | None) -> None:
    """Measure speed and size of the platform. Everything takes about half an hour."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then as well
    findings = []
    with workbench() as bench:
        machine = f"{describe(bench)}; {pairs} interleaved pairs, medians (least … greatest)"
        click.echo(machine)
        for name in only or MEASUREMENTS:
            for finding in MEASUREMENTS[name](bench, rows, pairs):
                click.echo(f"\n{as_text(finding)}")
                findings.append(finding)
    if markdown:
        markdown.write_text(as_markdown(machine, findings), encoding="utf-8")


if __name__ == "__main__":
    main()
