"""Runs of single assets for the demos, and the outcome of each in a line. What a demo loads does not belong here."""

import io
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import cast

import click
import dagster as dg

from taxi_platform.ledger.failures import EVENTS_WITH_REASONS, read_reasons
from taxi_platform.ledger.run_tags import range_tags
from taxi_platform.operations.backfill import SILENT, end_if_interrupted
from taxi_platform.trips.months import Month


@dataclass(frozen=True)
class DemoOutcome:
    """The outcome of one asset in a demo."""

    asset: str
    rows: int  # of all files that are in its table now
    seconds: float  # how long its run took
    failures: Sequence[str]  # why it failed, if it did
    months: Mapping[str | None, bool]  # of the files, each with whether it is new; None for a file without a month

    def print(self, width: int = 17) -> None:
        """Print the outcome in a line, and each failure in another one."""
        files, old = len(self.months), sum(not is_new for is_new in self.months.values())
        if old and old == files:
            speed = f"were already there ({files} months, checked in {self.seconds:.1f} s)"
        else:
            before = f", {old} of {files} months were already there" if old else ""
            speed = f"in {self.seconds:5.1f} s, {self.rows / self.seconds:>9,.0f} rows/s{before}"
        click.echo(f"  {self.asset:<{width}}{self.rows:>12,} rows {speed}")
        for failure in self.failures:
            click.echo(f"    failed: {failure}")


def materialize(
    job: dg.JobDefinition, instance: dg.DagsterInstance, asset: str, months: tuple[Month, Month] | None = None
) -> DemoOutcome:
    """Materialize a month range of one asset."""
    key = dg.AssetKey.from_user_string(asset)
    started = time.monotonic()
    result = execute(job, instance, [key], months)
    rows, loaded = 0, dict[str | None, bool]()
    # From the instance, because the result omits what a failed step had recorded before it failed.
    for entry in instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        if made and made.asset_key == key:
            count = made.metadata.get("dagster/partition_row_count") or made.metadata["dagster/row_count"]
            rows += cast("int", count.value)
            loaded[made.partition] = not ("unchanged" in made.metadata and made.metadata["unchanged"].value)
    return DemoOutcome(asset, rows, time.monotonic() - started, reasons(instance, result), loaded)


def execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey], months: tuple[Month, Month] | None
) -> dg.ExecuteInProcessResult:
    """Run some assets on the persistent instance, so that the UI shows the run and its output afterwards."""
    with redirect_stdout(io.StringIO()):  # dbt's output
        result = job.execute_in_process(
            instance=instance,
            asset_selection=keys,
            tags=range_tags(*months) if months else {},
            raise_on_error=False,
            run_config=SILENT,
        )
    end_if_interrupted(instance, result)
    return result


def reasons(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[str]:
    """Return why a run failed; nothing if it succeeded."""
    if result.success:
        return []
    return [reason.text for reason in read_reasons(instance.all_logs(result.run_id, of_type=EVENTS_WITH_REASONS))]
