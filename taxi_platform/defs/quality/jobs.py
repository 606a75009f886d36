"""Jobs that check what is loaded without loading anything, and the schedule that sees whether a service is kept up."""

from functools import cache

import dagster as dg

from taxi_platform.checks.services import service_checks
from taxi_platform.settings import settings
from taxi_platform.trips.services import SERVICES, Service

UPKEEP_JOB = "upkeep_checks_job"


def checking_job(service: Service):
    """The job that checks months of a service's table again, e.g. ``green_tripdata_checks_job``."""
    return dg.define_asset_job(
        f"{service.table}_checks_job",
        selection=dg.AssetSelection.checks_for_assets(service.table),
        description=f"Checks months of {service.title} trips as they are in the table; without months, all of them.",
        tags={"taxi": service.name},
    )


@cache
def upkeep_job():
    """The job of the checks that are about no month in particular, for every service."""
    keys = [
        dg.AssetCheckKey(dg.AssetKey(service.table), check.name)
        for service in SERVICES.values()
        for check in service_checks(service)
    ]
    return dg.define_asset_job(
        UPKEEP_JOB,
        selection=dg.AssetSelection.checks(*keys),
        description="Sees whether the last month is there in time, and whether any month was left failed.",
    )


@dg.definitions
def jobs() -> dg.Definitions:
    """The jobs, and the schedule: a load brings its checks along, but a month that nobody loads has no run to do so."""
    daily = dg.ScheduleDefinition(
        name="upkeep_checks_schedule",
        job=upkeep_job(),
        cron_schedule="30 12 * * *",
        execution_timezone=settings().schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every day, after the hours at which the monthly schedules load.",
    )
    return dg.Definitions(jobs=[*map(checking_job, SERVICES.values()), upkeep_job()], schedules=[daily])
