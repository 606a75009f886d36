"""What a tick of a monthly schedule asks for: which month, and why not, if not."""

from datetime import datetime
from zoneinfo import ZoneInfo

from taxi_platform.errors import NotPublished, TaxiError
from taxi_platform.sources.source import Log, Source
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


def cron_of(service: Service) -> str:
    """Return the cron expression for the service's hour on the first of every month."""
    return f"0 {service.schedule_hour} 1 * *"


def ended_month(scheduled: datetime, timezone: str) -> Month:
    """The month before the one in which a tick is scheduled, by the calendar of its time zone.

    By the time for which the tick was scheduled, whenever it is evaluated: a daemon that was down over a month's end
    asks for the month that was meant.

    Args:
        scheduled: the tick's own time, aware of its zone, whichever that is.
        timezone: the IANA name of the zone in which months end.
    """
    local = scheduled.astimezone(ZoneInfo(timezone))
    return Month(local.year, local.month).plus(-1)


def outside(service: Service, month: Month, partitions: tuple[Month, Month]) -> str | None:
    """Why a month cannot be asked for, if it lies outside the partitions: a sentence that says what would change it."""
    first, last = partitions
    if first <= month <= last:
        return None
    setting = f"TAXI_LAST_MONTH={month} or later" if month > last else f"TAXI_FIRST_MONTH={month} or earlier"
    return f"{month} lies outside the months of {service.name}, {first} to {last}. Set {setting} to have it loaded."


def reason_to_skip(
    service: Service, month: Month, partitions: tuple[Month, Month], source: Source, log: Log
) -> str | None:
    """Why a tick starts no run; none when it shall start one.

    Only the source's clear no skips a month. Where it does not answer, or with something else, the run is started all
    the same: it has the patience that a tick lacks, and if it fails too, that is a failed partition and an alert,
    whereas a failed tick of a schedule is never evaluated again, and a month would be missing without a trace.
    """
    reason = outside(service, month, partitions)
    if reason:
        return reason
    try:
        source.version(source.trips(service, month))
    except NotPublished as error:
        return f"Not published yet: {error.what}. The new_month_sensor, while it is on, loads it when it appears."
    except TaxiError as error:
        log(f"{error} The run finds out.")
    return None
