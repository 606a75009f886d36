"""The job and the schedule that remove old runs from Dagster's state."""

from datetime import datetime, timedelta, timezone

import dagster as dg
from pydantic import Field

from taxi_platform.operations.retention import remove_old_runs
from taxi_platform.settings import Settings, settings


class RetentionConfig(dg.Config):
    """How old runs are removed."""

    dry_run: bool = Field(False, description="Only count what would be removed.")


@dg.op(out=dg.Out(dg.Nothing))
def remove_runs(context: dg.OpExecutionContext, config: RetentionConfig) -> None:
    """Remove the runs that are older than ``TAXI_KEEP_RUNS_DAYS`` and on which no asset's status rests."""
    days = settings().keep_runs_days
    if days is None:
        context.log.info("TAXI_KEEP_RUNS_DAYS is not set, so every run stays")
        return
    before = datetime.now(timezone.utc) - timedelta(days=days)
    done = remove_old_runs(context.instance, before, dry_run=config.dry_run)
    context.add_output_metadata(
        {
            "runs": done.runs,
            "events": done.events,
            "kept_because_a_status_rests_on_them": done.kept,
            "older_than": before.isoformat(timespec="seconds"),
            "dry_run": config.dry_run,
        }
    )


@dg.job(
    name="run_retention_job",
    description="Removes runs older than TAXI_KEEP_RUNS_DAYS with their events and logs. The runs of the latest "
    "materialization of every partition, and whatever else a status in the UI rests on, stay.",
)
def run_retention_job() -> None:
    """Run the one step."""
    remove_runs()


def retention_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the daily schedule, which is on if the settings say how long runs are kept."""
    is_set = settings.keep_runs_days is not None
    return dg.ScheduleDefinition(
        name="run_retention_schedule",
        job=run_retention_job,
        cron_schedule="30 3 * * *",
        execution_timezone=settings.schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_set else dg.DefaultScheduleStatus.STOPPED,
        description="Removes runs older than TAXI_KEEP_RUNS_DAYS every night.",
    )


@dg.definitions
def retention() -> dg.Definitions:
    """Return the job and its schedule."""
    return dg.Definitions(jobs=[run_retention_job], schedules=[retention_schedule(settings())])
