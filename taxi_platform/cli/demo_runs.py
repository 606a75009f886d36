"""Runs of single assets for the demos, and the outcome of each in a line. What a demo loads does not belong here."""

import io
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from taxi_platform.ledger.run_tags import RANGE_TAGS
from taxi_platform.trips.months import Month

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult, JobDefinition

SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # the demos print a few lines instead


@dataclass(frozen=True)
class Outcome:
    """The outcome of one asset in a demo."""

    asset: str
    files: int  # how many files are in its table now
    unchanged: int  # how many of them were there before
    rows: int  # the rows of these files
    seconds: float  # how long its run took
    failures: Sequence[str] = ()  # why it failed, if it did
    # the months of the files, each with whether it is new
    months: Mapping[str, bool] = field(default_factory=dict[str, bool])

    @property
    def description(self) -> str:
        """The seconds and the speed, for the line of the summary."""
        if self.files and self.unchanged == self.files:
            return f"were already there ({self.files} months, checked in {self.seconds:.1f} s)"
        before = f", {self.unchanged} of {self.files} months were already there" if self.unchanged else ""
        return f"in {self.seconds:5.1f} s, {self.rows / self.seconds:>9,.0f} rows/s{before}"

    def print(self, width: int = 17) -> None:
        """Print the outcome in a line, and each failure in another one."""
        click.echo(f"  {self.asset:<{width}}{self.rows:>12,} rows {self.description}")
        for failure in self.failures:
            click.echo(f"    failed: {failure}")


def use_instance(home: Path) -> None:
    """Let this process use another Dagster instance, with the project's own configuration."""
    from taxi_platform.settings import FILES

    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.unlink(missing_ok=True)  # a link to a package that has been moved
        config.symlink_to(FILES / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)


def materialize(
    job: "JobDefinition", instance: "DagsterInstance", asset: str, months: tuple[Month, Month] | None = None
) -> Outcome:
    """Materialize one asset, for a month range."""
    import dagster as dg

    key = dg.AssetKey.from_user_string(asset)
    started = time.monotonic()
    result = execute(job, instance, [key], months)
    # From the instance, because the result omits what a failed step had recorded before it failed.
    entries = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    records = [entry.asset_materialization for entry in entries if entry.asset_materialization]
    made = [record for record in records if record.asset_key == key]
    counts = [
        event.metadata.get("dagster/partition_row_count") or event.metadata["dagster/row_count"] for event in made
    ]
    unchanged = ["unchanged" in event.metadata and bool(event.metadata["unchanged"].value) for event in made]
    return Outcome(
        asset=asset,
        files=len(made),
        unchanged=sum(unchanged),
        rows=sum(cast("int", count.value) for count in counts),
        seconds=time.monotonic() - started,
        failures=reasons(result),
        months={event.partition: not old for event, old in zip(made, unchanged, strict=True) if event.partition},
    )


def execute(
    job: "JobDefinition", instance: "DagsterInstance", keys: "Sequence[AssetKey]", months: tuple[Month, Month] | None
) -> "ExecuteInProcessResult":
    """Run some assets on the persistent instance, so that the UI shows the run and its output afterwards."""
    with redirect_stdout(io.StringIO()):  # dbt's output
        return job.execute_in_process(
            instance=instance,
            asset_selection=keys,
            tags=dict(zip(RANGE_TAGS, map(str, months), strict=True)) if months else {},
            raise_on_error=False,
            run_config=SILENT,
        )


def reasons(result: "ExecuteInProcessResult") -> list[str]:
    """Return why the steps of a run failed: the platform's own message if there is one, else Dagster's."""
    failures = [event.step_failure_data for event in result.get_step_failure_events()]
    return [
        (failure.user_failure_data and failure.user_failure_data.description) or failure.error_display_string
        for failure in failures
    ]
