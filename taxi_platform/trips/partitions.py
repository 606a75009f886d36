"""The partitions of a service: the months that the settings name, or else those that may be published."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from taxi_platform.errors import InvalidSetting
from taxi_platform.settings import Settings, settings
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def month_range(settings: Settings, *services: Service, now: datetime | None = None) -> tuple[Month, Month]:
    """Return the first and the last partition of a service, or of several services together.

    Without ``TAXI_LAST_MONTH``, the last is the newest month that may be published by now.

    Raises:
        InvalidSetting: the first month lies after the last.
    """
    first, last = (Month.parse(text) if text else None for text in (settings.first_month, settings.last_month))
    first = first or min(service.first_month for service in services)
    last = last or max(_last_published(service, settings, now) for service in services)
    if last < first:
        raise InvalidSetting(
            f"TAXI_FIRST_MONTH={first}, TAXI_LAST_MONTH={last}",
            "the first month lies after the last",
            "Swap them, or unset both for all months that are published.",
        )
    return first, last


def partition_months(service: Service, now: datetime | None = None) -> list[Month]:
    """Return the partitions of a service that have ended in the schedules' time zone, in order."""
    first, last = month_range(settings(), service, now=now)
    return list(first.through(min(last, _this_month(settings(), now).plus(-1))))


def _last_published(service: Service, settings: Settings, now: datetime | None) -> Month:
    published = _this_month(settings, now).plus(-service.publication_lag)
    return min(published, service.last_month or published)


def _this_month(settings: Settings, now: datetime | None) -> Month:
    local = (now or datetime.now(timezone.utc)).astimezone(ZoneInfo(settings.schedule_timezone))
    return Month(local.year, local.month)
