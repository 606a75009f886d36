"""What a tick of a monthly schedule loads: which month, or why none, and which months are asked for again.

Pure, but for one question to the source.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from taxi_platform.errors import NotPublished, TaxiError
from taxi_platform.ledger.record import MonthRecord
from taxi_platform.sources.source import Source
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

logger = logging.getLogger(__name__)


def cron_of(service: Service) -> str:
    """Return the cron expression for the service's hour on the first of every month."""
    return f"0 {service.schedule_hour} 1 * *"


def due_month(service: Service, scheduled: datetime, timezone: str) -> Month:
    """Return the month whose publication is due when a tick is scheduled, by the calendar of its time zone.

    The time for which the tick was scheduled counts, whenever it is evaluated: a daemon that was down over the end of a
    month loads the month that was meant.
    """
    local = scheduled.astimezone(ZoneInfo(timezone))
    return Month(local.year, local.month).plus(-service.publication_lag)


def outside(service: Service, month: Month, partitions: tuple[Month, Month]) -> str | None:
    """Return why a month outside the partitions cannot be loaded, and which setting would change that."""
    first, last = partitions
    if first <= month <= last:
        return None
    setting = f"TAXI_LAST_MONTH={month} or later" if month > last else f"TAXI_FIRST_MONTH={month} or earlier"
    return f"{month} lies outside the months of {service.name}, {first} to {last}. Set {setting} to have it loaded."


def reason_to_skip(service: Service, month: Month, partitions: tuple[Month, Month], source: Source) -> str | None:
    """Return why a tick starts no run, or None if it must start one.

    Only a clear no of the source skips a month. If the source does not answer, or answers anything else, the run is
    started: it asks again and again, which a tick cannot, and if it fails too there is a failed partition and an alert.
    A failed tick of a schedule is never evaluated again, and the month would be missing without a trace.
    """
    reason = outside(service, month, partitions)
    if reason:
        return reason
    try:
        source.version(source.trips(service, month))
    except NotPublished as error:
        return f"Not published yet: {error.what}. The due_month_sensor asks again every day."
    except TaxiError as error:
        logger.warning("%s The run will find out.", error)
    return None


def waiting_month(records: Iterable[MonthRecord], since: datetime, now: datetime, timezone: str) -> MonthRecord | None:
    """Return the first month of a service that its schedule requested and did not get, or None.

    The records are the months of one service, in order. Months that were due by ``since`` are not meant, so that a new
    platform does not begin to load without being asked. A month counts from the day after its schedule asked.
    A month that a run has tried to load is not waiting: there are the run's own retries, alerts and ``taxi backfill``.
    """
    yesterday = now - timedelta(days=1)
    for record in records:
        is_due = (
            due_month(record.service, since, timezone) < record.month <= due_month(record.service, yesterday, timezone)
        )
        if is_due and record.is_partition and not (record.materialized or record.attempts or record.waiting):
            return record
    return None
