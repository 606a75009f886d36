"""The checks of a service as a whole: its last month is loaded in time, and no month was left failed.

The first is about one month only, so that loading an old month does not turn it green.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import dagster as dg

from taxi_platform.checks.results import Check, CheckResult
from taxi_platform.ledger.reading import read_months
from taxi_platform.settings import settings
from taxi_platform.trips.keys import assets_of
from taxi_platform.trips.months import Month, spans
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import Service

NONE_FAILED = Check("no_partition_is_left_failed", "No month failed and was left so, wherever it is loaded into.")


def service_checks(service: Service) -> tuple[Check, ...]:
    """Return the checks of a service as a whole."""
    return (_last_month(service), NONE_FAILED)


@dataclass(frozen=True)
class Due:
    """The month that must be loaded by now, and when the next one must be.

    Attributes:
        month: the last month that is due; None while no month is due.
        following: the month after it; None where the partitions end.
        since: when the following one falls due.
    """

    month: Month | None
    following: Month | None
    since: date | None


def due(first: Month, last: Month, now: datetime, timezone: str, overdue_days: int) -> Due:
    """Return which of the months from ``first`` to ``last`` is due.

    Args:
        first: the first partition.
        last: the last partition that there will be.
        now: the time, with its time zone.
        timezone: the IANA name of the zone in which months end.
        overdue_days: how many days after its end a month may still be absent.
    """
    today = now.astimezone(ZoneInfo(timezone)).date()
    overdue = [month for month in first.through(last) if _deadline(month, overdue_days) <= today]
    following = overdue[-1].plus(1) if overdue else first
    if following > last:
        return Due(overdue[-1] if overdue else None, None, None)
    return Due(overdue[-1] if overdue else None, following, _deadline(following, overdue_days))


def service_results(instance: dg.DagsterInstance, url: str, service: Service) -> Iterator[CheckResult]:
    """Yield the check results of a service as of now.

    Raises:
        DatabaseUnreachable: the database does not answer.
        DatabaseInterrupted: the connection broke, or a timeout ended a wait.
        DatabaseRefused: the database refuses to answer.
    """
    first, last = month_range(settings(), service)
    wanted = due(first, last, datetime.now(timezone.utc), settings().schedule_timezone, service.overdue_days)
    ledger = read_months(instance, [service], ("loaded", "attempts"), cloud=True, url=url)
    months = ledger.months[service.name]
    loaded = [month for month, record in months.items() if record.is_partition and record.loaded]
    yield last_month_result(service, wanted, loaded)
    failed = {
        "/".join(key): [
            month
            for month, record in months.items()
            if key in record.attempts and record.attempts[key].outcome == "failed"
        ]
        for key in assets_of(service.table, cloud=True)
    }
    yield none_failed_result(service.name, failed)


def last_month_result(service: Service, wanted: Due, loaded: Collection[Month]) -> CheckResult:
    """Return whether the month that is due is in the table."""
    check = _last_month(service)
    newest = max(loaded, default=None)
    numbers = {"due": str(wanted.month or ""), "newest_loaded": str(newest or "")}
    if wanted.following:
        numbers |= {"next": str(wanted.following), "next_is_due": str(wanted.since)}
        ahead = f"{wanted.following} falls due on {wanted.since}."
    else:
        ahead = f"The partitions end with {wanted.month} (TAXI_LAST_MONTH), so no newer month is expected."
    if wanted.month is None:
        return CheckResult(check, True, f"No month is due yet. {ahead}", numbers=numbers)
    if wanted.month in loaded:
        return CheckResult(check, True, f"{wanted.month} is loaded. {ahead}", numbers=numbers)
    newest_loaded = f"the newest loaded month is {newest}" if newest else "no month is loaded"
    advice = f"Load it: taxi backfill {service.name} {wanted.month}."
    description = f"{wanted.month} is due and not loaded; {newest_loaded}. {advice} {ahead}"
    return CheckResult(check, False, description, numbers=numbers)


def none_failed_result(service: str, failed: Mapping[str, Sequence[Month]]) -> CheckResult:
    """Return whether there are months whose last run failed, listed by asset."""
    listed = {asset: spans(months) for asset, months in failed.items() if months}
    numbers = {"failed": sum(map(len, failed.values())), **listed}
    if not listed:
        return CheckResult(NONE_FAILED, True, "No month is left failed.", numbers=numbers)
    months_by_asset = "; ".join(f"{asset} {months}" for asset, months in listed.items())
    advice = f"See why with taxi status, and load them again: taxi backfill {service} FIRST..LAST --failed"
    return CheckResult(NONE_FAILED, False, f"Left failed: {months_by_asset}. {advice}", numbers=numbers)


def _last_month(service: Service) -> Check:
    return Check(
        "last_finished_month_is_there",
        "The last month that should be published by now is loaded.",
        f"The TLC publishes a month about {service.publication_lag} months late, so it is due {service.overdue_days} "
        "days after its end.",
    )


def _deadline(month: Month, overdue_days: int) -> date:
    after = month.plus(1)
    return date(after.year, after.month, 1) + timedelta(days=overdue_days)
