"""The partitions of monthly assets as Dagster's definition. ``trips.partitions`` decides which months they are."""

import dagster as dg

from taxi_platform.settings import settings
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import Service


def monthly_partitions(*services: Service) -> dg.TimeWindowPartitionsDefinition:
    """Return the months of one service, or of several together, with keys ``YYYY-MM``.

    A month is among them when it has ended in the time zone of the schedules, whose ticks ask for it hours later.
    """
    first, last = month_range(settings(), *services)
    return dg.TimeWindowPartitionsDefinition(
        start=str(first),
        end=str(last.plus(1)),
        fmt="%Y-%m",
        cron_schedule="0 0 1 * *",
        timezone=settings().schedule_timezone,
    )
