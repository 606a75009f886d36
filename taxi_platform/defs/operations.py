"""What keeps the platform running: the alert sensor, and the jobs that remove loaded raw files and old runs."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import partial

import dagster as dg
from pydantic import Field

from taxi_platform.operations.purge import Rule, WhyNotLoaded, purge
from taxi_platform.operations.retention import remove_old_runs
from taxi_platform.orchestration.cloud_io import CloudResource, GoogleCloud
from taxi_platform.orchestration.trip_io import PostgresResource, RawFilesResource
from taxi_platform.settings import Settings, secrets, settings

INTERVAL_SECONDS = 30


def failure_alert(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor for these settings: running where they name an address, else stopped."""
    urls = settings.alert_urls
    status = dg.DefaultSensorStatus.RUNNING if urls else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name="run_failure_alert",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=status,
        description="Tells the addresses of TAXI_ALERT_URLS about every failed run that is not retried.",
    )
    def run_failure_alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if urls is None:
            return dg.SensorResult(skip_reason="TAXI_ALERT_URLS is not set, so nobody is told", cursor=context.cursor)
        from taxi_platform.operations.alerts import addresses_of, describe, tick

        done = tick(
            context.instance,
            addresses_of(urls.get_secret_value()),
            partial(describe, web_url=settings.web_url, secrets=list(secrets())),
            context.cursor,
            started=context.last_sensor_start_time,
            now=time.time(),
        )
        for problem in done.problems:
            context.log.warning(problem)
        return dg.SensorResult(skip_reason=done.story, cursor=done.cursor.model_dump_json())

    return run_failure_alert


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
    places = _places(database.address(), google)
    done = purge(raw_files.folder, rule, places, dry_run=config.dry_run)
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


def _places(url: str, google: GoogleCloud) -> Sequence[WhyNotLoaded]:
    """Return what raw files are loaded into: the tables in PostgreSQL and, if Google Cloud is set up, the lake."""
    from taxi_platform.ledger.loaded import why_not_loaded

    places: list[WhyNotLoaded] = [lambda file: why_not_loaded(url, file)]
    cloud = settings().cloud
    if cloud and cloud.is_complete:
        from taxi_platform.bigquery.lake import Lake

        places.append(Lake(google.cloud()).why_not_in)
    return places


@dg.job(
    name="raw_purge_job",
    description="Removes raw files older than TAXI_KEEP_RAW_DAYS, and the oldest of those that are more than "
    "TAXI_KEEP_RAW_GB, if they are loaded. They are fetched again when they are needed.",
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
def operations() -> dg.Definitions:
    """Return the sensor, and the jobs with their schedules, which are on where their settings are set."""
    return dg.Definitions(
        sensors=[failure_alert(settings())],
        jobs=[raw_purge_job, run_retention_job],
        schedules=[purge_schedule(settings()), retention_schedule(settings())],
    )
