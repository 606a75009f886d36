"""Which months can be loaded: those of the settings that have ended, where the schedules are."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from taxi_platform.settings import settings
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def partition_months(service: Service, now: datetime | None = None) -> list[Month]:
    """The partitions of a service, in order; none before its first month has ended."""
    first, last = settings().months(service)
    now = (now or datetime.now(timezone.utc)).astimezone(ZoneInfo(settings().schedule_timezone))
    return list(first.through(min(last, Month(now.year, now.month).plus(-1))))
