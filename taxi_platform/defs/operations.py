"""What keeps the platform running: sensors for alerts and lost retries, jobs that remove raw files and old runs."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone

import dagster as dg
from pydantic import Field

from taxi_platform.operations.lost_retries import start_lost_retries
from taxi_platform.operations.purge import WhyNotLoaded, purge
from taxi_platform.operations.retention import remove_old_runs
from taxi_platform.orchestration.cloud_io import CloudResource, GoogleCloud
from taxi_platform.orchestration.trip_io import PostgresResource, RawFilesResource
from taxi_platform.settings import settings


def failure_alert() -> dg.SensorDefinition:
    """Return the sensor: running where the settings name an address, else stopped."""
    urls = settings().alert_urls

    @dg.sensor(
        name="run_failure_alert",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if urls else dg.DefaultSensorStatus.STOPPED,
        description="Notifies the addresses of TAXI_ALERT_URLS of every failed run that is not retried, and of every "
        "check that begins to warn.",
    )
    def run_failure_alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if urls is None:
            reason = "TAXI_ALERT_URLS is not set, so nobody is notified"
            return dg.SensorResult(skip_reason=reason, cursor=context.cursor)
        from taxi_platform.operations.alerts import addresses_of, tick

        done = tick(
            context.instance,
            addresses_of(urls.get_secret_value()),
            context.cursor,
            started=context.last_sensor_start_time,
            now=time.time(),
            web_url=settings().web_url,
        )
        for problem in done.problems:
            context.log.warning(problem)
        return dg.SensorResult(skip_reason=done.summary, cursor=done.cursor.model_dump_json())

    return run_failure_alert


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the retries that Dagster announced and then lost because its database failed.",
)
def lost_retry_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Make Dagster's daemon start the retries that it announced and then lost because its database failed."""
    lost = start_lost_retries(context.instance, datetime.now(timezone.utc))
    return dg.SkipReason(f"asked the daemon to retry these runs: {', '.join(lost)}" if lost else "no lost retries")


class RemovalConfig(dg.Config):
    """How raw files or runs are removed."""

    dry_run: bool = Field(False, description="Only report what would be removed.")


@dg.op(out=dg.Out(dg.Nothing))
def remove_raw_files(
    context: dg.OpExecutionContext,
    config: RemovalConfig,
    raw_files: RawFilesResource,
    database: PostgresResource,
    google: CloudResource,
) -> None:
    """Remove the loaded raw files beyond ``TAXI_KEEP_RAW_DAYS`` and ``TAXI_KEEP_RAW_GB``, oldest first."""
    days, gigabytes = settings().keep_raw_days, settings().keep_raw_gb
    if days is None and gigabytes is None:
        context.log.info("neither TAXI_KEEP_RAW_DAYS nor TAXI_KEEP_RAW_GB is set, so every raw file stays")
        return
    done = purge(raw_files.folder, days, gigabytes, _places(database.address(), google), dry_run=config.dry_run)
    context.add_output_metadata({**asdict(done), "dry_run": config.dry_run})


def _places(url: str, google: GoogleCloud) -> Sequence[WhyNotLoaded]:
    """Return what raw files are loaded into: the tables in PostgreSQL and, if Google Cloud is set up, the lake."""
    from taxi_platform.ledger.loaded import why_not_loaded

    places: list[WhyNotLoaded] = [lambda file: why_not_loaded(url, file)]
    if settings().has_cloud:
        from taxi_platform.bigquery.lake import Lake

        lake = Lake(google.cloud())
        places.append(
            lambda file: None if lake.has(file) else "its object in Cloud Storage is missing or a different one"
        )
    return places


@dg.op(out=dg.Out(dg.Nothing))
def remove_runs(context: dg.OpExecutionContext, config: RemovalConfig) -> None:
    """Remove the runs that are older than ``TAXI_KEEP_RUNS_DAYS`` and that no status of an asset needs."""
    days = settings().keep_runs_days
    if days is None:
        context.log.info("TAXI_KEEP_RUNS_DAYS is not set, so every run stays")
        return
    before = datetime.now(timezone.utc) - timedelta(days=days)
    done = remove_old_runs(context.instance, before, dry_run=config.dry_run)
    counts = {"runs": done.runs, "kept_because_a_status_rests_on_them": done.kept}
    older_than = before.isoformat(timespec="seconds")
    context.add_output_metadata({**counts, "older_than": older_than, "dry_run": config.dry_run})


@dg.job
def raw_purge_job() -> None:
    """Remove loaded raw files older than TAXI_KEEP_RAW_DAYS, and the oldest that are more than TAXI_KEEP_RAW_GB.

    They are fetched again when they are needed.
    """
    remove_raw_files()


@dg.job
def run_retention_job() -> None:
    """Remove runs older than TAXI_KEEP_RUNS_DAYS with their events and logs.

    The runs of the latest materialization of every partition, and all others that a status in the UI needs, stay.
    """
    remove_runs()


@dg.definitions
def operations() -> dg.Definitions:
    """Return the sensors, and the jobs with their schedules, which are on if the settings say what they remove."""
    keep = settings()
    purges = keep.keep_raw_days is not None or keep.keep_raw_gb is not None
    nightly = (
        ("raw_purge_schedule", raw_purge_job, "0 4 * * *", purges),
        ("run_retention_schedule", run_retention_job, "30 3 * * *", keep.keep_runs_days is not None),
    )
    schedules = [
        dg.ScheduleDefinition(
            name=name,
            job=job,
            cron_schedule=cron,
            execution_timezone=keep.schedule_timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED,
            description=f"Starts {job.name} every night.",
        )
        for name, job, cron, is_on in nightly
    ]
    sensors = [failure_alert(), lost_retry_sensor]
    return dg.Definitions(sensors=sensors, jobs=[raw_purge_job, run_retention_job], schedules=schedules)
