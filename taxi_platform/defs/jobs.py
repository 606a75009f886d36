"""One job and one monthly schedule per service: schedules, sensors and backfills of jobs run these jobs."""

from functools import cache
from typing import Any

import dagster as dg

from taxi_platform.ledger.run_tags import run_labels
from taxi_platform.operations.monthly import cron_of, due_month, reason_to_skip
from taxi_platform.orchestration.trip_io import RawFilesResource
from taxi_platform.settings import settings
from taxi_platform.trips.keys import assets_of
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SERVICES, Service


def loading_job(service: Service):
    """Return the job that loads months of a service, e.g. ``green_tripdata_job``; the same object to every caller."""
    return _job(service, cloud=settings().has_cloud)


def loading_run(service: Service, month: Month, **request: Any) -> dg.RunRequest:
    """Return a request for a run of that job for one month.

    It names the assets although the job does too: otherwise automation conditions would not see that the run loads the
    tables, and would load them again because of the new file.
    """
    keys = [dg.AssetKey(path) for path in assets_of(service.table, cloud=settings().has_cloud)]
    return dg.RunRequest(job_name=loading_job(service).name, partition_key=str(month), asset_selection=keys, **request)


@cache
def _job(service: Service, *, cloud: bool):
    return dg.define_asset_job(
        f"{service.table}_job",
        selection=dg.AssetSelection.assets(*map(dg.AssetKey, assets_of(service.table, cloud=cloud))),
        description=f"{service.title} trips: the file as the source has it now, then every table of it.",
        tags={"taxi": service.name, "dagster-k8s/config": _resources(service)},
    )


def _resources(service: Service) -> dict[str, Any]:
    """Return what a run asks of Kubernetes; elsewhere nobody reads it."""
    memory = service.run_memory_mib
    resources = {"requests": {"cpu": "500m", "memory": f"{memory}Mi"}, "limits": {"memory": f"{2 * memory}Mi"}}
    return {"container_config": {"resources": resources}}


def monthly_schedule(service: Service) -> dg.ScheduleDefinition:
    """Return the schedule of a service, e.g. ``green_monthly_schedule``.

    It is on from the start, like the course's triggers: one tick per month asks the source once, and starts a run only
    if the month is published and one of the partitions.
    """
    name = f"{service.name}_monthly_schedule"
    timezone = settings().schedule_timezone

    @dg.schedule(
        name=name,
        job=loading_job(service),
        cron_schedule=cron_of(service),
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Loads the month of {service.title} trips whose publication is due.",
    )
    def schedule(context: dg.ScheduleEvaluationContext, raw_files: RawFilesResource) -> dg.RunRequest | dg.SkipReason:
        month = due_month(service, context.scheduled_execution_time, timezone)
        source = raw_files.source_with_short_timeouts()
        reason = reason_to_skip(service, month, month_range(settings(), service), source)
        if reason:
            return dg.SkipReason(reason)
        return loading_run(service, month, tags=run_labels(service, month, trigger=f"schedule:{name}"))

    return schedule


@dg.definitions
def jobs() -> dg.Definitions:
    """Return the job and the schedule of every service, e.g. ``green_tripdata_job`` and ``green_monthly_schedule``."""
    services = SERVICES.values()
    return dg.Definitions(
        jobs=[loading_job(service) for service in services],
        schedules=[monthly_schedule(service) for service in services],
    )
