"""The job and the schedule that remove raw files which are loaded, the last step of the course's flows."""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
from pydantic import Field

from taxi_platform.operations.purge import Rule, WhyNotHeld, purge
from taxi_platform.orchestration.cloud_io import CloudResource
from taxi_platform.orchestration.trip_io import PostgresResource, RawFilesResource
from taxi_platform.settings import Settings, settings


class PurgeConfig(dg.Config):
    """How raw files are removed."""

    dry_run: bool = Field(False, description="Only say what would be removed.")


@dg.op(out=dg.Out(dg.Nothing))
def remove_raw_files(
    context: dg.OpExecutionContext,
    config: PurgeConfig,
    raw_files: RawFilesResource,
    database: PostgresResource,
    google: CloudResource,
) -> None:
    """Remove the loaded raw files beyond ``TAXI_KEEP_RAW_DAYS`` and ``TAXI_KEEP_RAW_GB``, oldest first."""
    rule = Rule(settings().keep_raw_days, settings().keep_raw_gb)
    if rule == Rule(None, None):
        context.log.info("neither TAXI_KEEP_RAW_DAYS nor TAXI_KEEP_RAW_GB is set, so every raw file stays")
        return
    places = _places(database.address(), google, context.log.info)
    done = purge(Path(raw_files.folder), rule, places, context.log.info, dry_run=config.dry_run)
    context.add_output_metadata(
        {
            "files": done.files,
            "bytes": done.bytes,
            "leftovers_of_downloads": done.leftovers,
            "kept": dict(done.kept),
            "files_left": done.files_left,
            "bytes_left": done.bytes_left,
            "dry_run": config.dry_run,
        }
    )


def _places(url: str, google: CloudResource, log: Callable[[str], None]) -> Sequence[WhyNotHeld]:
    """What is made from raw files: the tables in PostgreSQL and, where Google Cloud is set up, the lake."""
    from taxi_platform.ledger.loaded import why_not_loaded

    places: list[WhyNotHeld] = [lambda file: why_not_loaded(url, file)]
    cloud = settings().cloud
    if cloud and cloud.is_complete:
        from taxi_platform.bigquery.lake import Lake

        places.append(Lake(google.cloud()).why_not_in)
    return places


@dg.job(
    name="raw_purge_job",
    description="Removes raw files older than TAXI_KEEP_RAW_DAYS, and the oldest of those that are more than "
    "TAXI_KEEP_RAW_GB, when the tables made from them hold them. They are fetched again when they are asked for.",
)
def raw_purge_job() -> None:
    """Run the one step."""
    remove_raw_files()


def purge_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the daily schedule, which is on if the settings say which files may stay."""
    is_set = settings.keep_raw_days is not None or settings.keep_raw_gb is not None
    return dg.ScheduleDefinition(
        name="raw_purge_schedule",
        job=raw_purge_job,
        cron_schedule="0 4 * * *",
        execution_timezone=settings.schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_set else dg.DefaultScheduleStatus.STOPPED,
        description="Removes the raw files beyond TAXI_KEEP_RAW_DAYS and TAXI_KEEP_RAW_GB every night.",
    )


@dg.definitions
def raw_purge() -> dg.Definitions:
    """Return the job and its schedule."""
    return dg.Definitions(jobs=[raw_purge_job], schedules=[purge_schedule(settings())])
