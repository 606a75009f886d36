"""The partitions of monthly assets as Dagster's definition. ``trips.partitions`` decides which months they are."""

import dagster as dg

from taxi_platform.settings import settings
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import Service


def monthly_partitions(*services: Service) -> dg.TimeWindowPartitionsDefinition:
    """Return the months of one service, or of several together, with keys ``YYYY-MM``.

    A month of the settings is among them when it has ended in the time zone of the schedules. Without
    ``TAXI_LAST_MONTH`` it must be old enough to be published, and the partitions grow by themselves.
    """
    first, last = month_range(settings(), *services)
    open_ended = [service for service in services if service.last_month is None and settings().last_month is None]
    lag = min((service.publication_lag for service in open_ended), default=1)
    return dg.TimeWindowPartitionsDefinition(
        start=str(first),
        end=None if open_ended else str(last.plus(1)),
        end_offset=1 - lag,
        fmt="%Y-%m",
        cron_schedule="0 0 1 * *",
        timezone=settings().schedule_timezone,
    )
