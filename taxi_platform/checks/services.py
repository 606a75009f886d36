"""The checks of a service as a whole: its last month is loaded in time, and no month was left failed.

The first is about one month only, so that loading an old month does not turn it green.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
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

NONE_FAILED = Check("no_partition_is_left_failed", "In every asset of the service, no month's last run failed.")


def service_checks(service: Service) -> tuple[Check, ...]:
    """Return the checks of a service as a whole."""
    return (_last_month(service), NONE_FAILED)


def due(first: Month, last: Month, now: datetime, timezone: str, overdue_days: int) -> Month | None:
    """Return the last of the months from ``first`` to ``last`` that must be loaded by now; None before the first.

    Months end in the time zone ``timezone``, an IANA name, and may be absent for ``overdue_days`` more.
    """
    today = now.astimezone(ZoneInfo(timezone)).date()
    return max((month for month in first.through(last) if _deadline(month, overdue_days) <= today), default=None)


def service_results(instance: dg.DagsterInstance, url: str, service: Service) -> Iterator[CheckResult]:
    """Yield the check results of a service as of now."""
    first, last = month_range(settings(), service)
    wanted = due(first, last, datetime.now(timezone.utc), settings().schedule_timezone, service.overdue_days)
    ledger = read_months(instance, [service], ("loaded", "attempts"), cloud=True, url=url)
    records = ledger.months[service.name].values()
    loaded = [record.month for record in records if record.is_partition and record.loaded]
    yield last_month_result(service, wanted, first, last, loaded)
    failed: dict[str, list[Month]] = {"/".join(key): [] for key in assets_of(service.table, cloud=True)}
    for record in records:
        for key, attempt in record.attempts.items():
            if attempt.outcome == "failed":
                failed["/".join(key)].append(record.month)
    yield none_failed_result(service.name, failed)


def last_month_result(
    service: Service, wanted: Month | None, first: Month, last: Month, loaded: Collection[Month]
) -> CheckResult:
    """Return whether the month that is due is in the table; the partitions are from ``first`` to ``last``."""
    newest = max(loaded, default=None)
    numbers = {"due": str(wanted or ""), "newest_loaded": str(newest or "")}
    following = wanted.plus(1) if wanted else first
    if following <= last:
        since = str(_deadline(following, service.overdue_days))
        numbers |= {"next": str(following), "next_is_due": since}
        ahead = f"{following} falls due on {since}."
    else:
        ahead = f"The partitions end with {wanted} (TAXI_LAST_MONTH), so no newer month is expected."
    passed = wanted is None or wanted in loaded
    description = f"{wanted} is loaded." if wanted else "No month is due yet."
    if not passed:
        newest_loaded = f"the newest loaded month is {newest}" if newest else "no month is loaded"
        description = f"{wanted} is due and not loaded; {newest_loaded}. "
        description += f"Load it: taxi backfill {service.name} {wanted}."
    return CheckResult(_last_month(service), passed, f"{description} {ahead}", numbers=numbers)


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
        f"The TLC publishes a month {service.publication_lag} months later at the earliest; it is overdue "
        f"{service.overdue_days} days after its end.",
    )


def _deadline(month: Month, overdue_days: int) -> date:
    return month.plus(1).first_day + timedelta(days=overdue_days)
