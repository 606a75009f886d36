"""The monthly schedules: a tick on the first of the month loads the month that has just ended."""

import dagster as dg

from taxi_platform.defs.taxi.jobs import loading_job, loading_run
from taxi_platform.ledger.run_tags import by_schedule, run_labels
from taxi_platform.operations.monthly import cron_of, ended_month, reason_to_skip
from taxi_platform.orchestration.trip_io import RawFilesResource
from taxi_platform.settings import settings
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SERVICES, Service


def monthly_schedule(service: Service) -> dg.ScheduleDefinition:
    """Return the schedule of a service, e.g. ``green_monthly_schedule``.

    It is on from the start, as the course's triggers are as soon as a flow is saved: one tick per month asks the source
    one question, and starts a run only for a month that is published and among the partitions.
    """
    name = f"{service.name}_monthly_schedule"
    timezone = settings().schedule_timezone

    @dg.schedule(
        name=name,
        job=loading_job(service),
        cron_schedule=cron_of(service),
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Loads the month of {service.title} trips that has just ended in {timezone}.",
    )
    def schedule(context: dg.ScheduleEvaluationContext, raw_files: RawFilesResource) -> dg.RunRequest | dg.SkipReason:
        month = ended_month(context.scheduled_execution_time, timezone)
        reason = reason_to_skip(service, month, month_range(settings(), service), raw_files.hurried_source())
        if reason:
            return dg.SkipReason(reason)
        return loading_run(service, month, tags=run_labels(service, month, trigger=by_schedule(name)))

    return schedule


@dg.definitions
def schedules() -> dg.Definitions:
    """Return one schedule per service."""
    return dg.Definitions(schedules=[monthly_schedule(service) for service in SERVICES.values()])
