"""Runs of single assets as the demos make them, and what became of each in a line."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taxi_platform.trips.months import Month

if TYPE_CHECKING:
    from dagster import DagsterInstance, ExecuteInProcessResult, JobDefinition

Say = Callable[[str], None]

SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # what happens is told in a few lines instead


@dataclass(frozen=True)
class Outcome:
    """What became of one asset in the demo.

    Attributes:
        asset: its key.
        files: how many files are in its table now.
        unchanged: how many of them were there before.
        rows: the rows of these files.
        seconds: how long its run took.
        failures: why it failed, if it did.
        months: the months of the files, each with whether it was not there before.
    """

    asset: str
    files: int
    unchanged: int
    rows: int
    seconds: float
    failures: Sequence[str] = ()
    months: Mapping[str, bool] = field(default_factory=dict[str, bool])

    @property
    def story(self) -> str:
        """What happened, for the line of the summary."""
        if self.files and self.unchanged == self.files:
            return f"were already there ({self.files} months, checked in {self.seconds:.1f} s)"
        before = f", {self.unchanged} of {self.files} months were already there" if self.unchanged else ""
        return f"in {self.seconds:5.1f} s, {self.rows / self.seconds:>9,.0f} rows/s{before}"

    def tell(self, say: Say, width: int = 17) -> None:
        """Say it in a line, and each failure in another one."""
        say(f"  {self.asset:<{width}}{self.rows:>12,} rows {self.story}")
        for failure in self.failures:
            say(f"    failed: {failure}")


def use_instance(home: Path) -> None:
    """Turn this process to an instance of its own, with the project's own configuration."""
    from taxi_platform.settings import PROJECT

    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.symlink_to(PROJECT / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)


def materialize(
    job: "JobDefinition", instance: "DagsterInstance", asset: str, months: tuple[Month, Month] | None = None
) -> Outcome:
    """One run of one asset, for a range of months, on the lasting instance, so that the UI shows it afterwards."""
    import dagster as dg

    key = dg.AssetKey.from_user_string(asset)
    started = time.monotonic()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[key],
        tags=span(months),
        raise_on_error=False,
        run_config=SILENT,
    )
    # From the instance: the result leaves out what a step that failed has recorded on its way.
    entries = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    records = [entry.asset_materialization for entry in entries if entry.asset_materialization]
    made = [record for record in records if record.asset_key == key]
    counts = [one.metadata.get("dagster/partition_row_count") or one.metadata["dagster/row_count"] for one in made]
    unchanged = ["unchanged" in one.metadata and bool(one.metadata["unchanged"].value) for one in made]
    return Outcome(
        asset=asset,
        files=len(made),
        unchanged=sum(unchanged),
        rows=sum(cast("int", count.value) for count in counts),
        seconds=time.monotonic() - started,
        failures=reasons(result),
        months={one.partition: not old for one, old in zip(made, unchanged, strict=True) if one.partition},
    )


def span(months: tuple[Month, Month] | None) -> dict[str, str]:
    """The tags of a run of all months from one to another; none where it has no months."""
    tags = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    return dict(zip(tags, map(str, months), strict=True)) if months else {}


def reasons(result: "ExecuteInProcessResult") -> list[str]:
    """Why steps of a run have failed, in the platform's own words where it has some."""
    failures = [event.step_failure_data for event in result.get_step_failure_events()]
    return [
        (one.user_failure_data and one.user_failure_data.description) or one.error_display_string for one in failures
    ]
