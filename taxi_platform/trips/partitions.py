"""The partitions of a service: the months that the settings name, or else its contract, and those that have ended."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from taxi_platform.errors import InvalidSetting
from taxi_platform.settings import Settings, settings
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def month_range(settings: Settings, *services: Service) -> tuple[Month, Month]:
    """Return the first and the last partition of a service, or of several services together.

    Raises:
        InvalidSetting: the first month lies after the last.
    """
    first = _month(settings.first_month) or min(service.first_month for service in services)
    last = _month(settings.last_month) or max(service.last_month for service in services)
    if last < first:
        raise InvalidSetting(
            f"TAXI_FIRST_MONTH={first}, TAXI_LAST_MONTH={last}",
            "the first month lies after the last",
            "Swap them, or unset both for the source's own coverage.",
        )
    return first, last


def partition_months(service: Service, now: datetime | None = None) -> list[Month]:
    """Return the partitions of a service that have ended in the schedules' time zone, in order."""
    first, last = month_range(settings(), service)
    now = (now or datetime.now(timezone.utc)).astimezone(ZoneInfo(settings().schedule_timezone))
    return list(first.through(min(last, Month(now.year, now.month).plus(-1))))


def _month(text: str | None) -> Month | None:
    return Month.parse(text) if text else None
