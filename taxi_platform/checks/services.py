"""The checks of a service as a whole: its last month is loaded in time, and no month was left failed.

The first looks at one month and no other, so that loading an old month does not turn it green.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import dagster as dg

from taxi_platform.checks.results import Check, Verdict
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
    """The month that has to be there, and when the next one will have to.

    Attributes:
        month: the last that is due; none while none is.
        following: the one after it, or none where the partitions end.
        since: when the following one falls due.
    """

    month: Month | None
    following: Month | None
    since: date | None


def due(first: Month, last: Month, now: datetime, timezone: str, overdue_days: int) -> Due:
    """Which of the months from ``first`` to ``last`` is due.

    Args:
        first: the first partition.
        last: the last that there will be.
        now: aware of its zone.
        timezone: the IANA name of the zone in which months end.
        overdue_days: how many days after its end a month may be missing.
    """
    today = now.astimezone(ZoneInfo(timezone)).date()
    overdue = [month for month in first.through(last) if _deadline(month, overdue_days) <= today]
    following = overdue[-1].plus(1) if overdue else first
    if following > last:
        return Due(overdue[-1] if overdue else None, None, None)
    return Due(overdue[-1] if overdue else None, following, _deadline(following, overdue_days))


def service_verdicts(instance: dg.DagsterInstance, url: str, service: Service) -> Iterator[Verdict]:
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
    yield last_month_verdict(service, wanted, loaded)
    failed = {
        "/".join(key): [m for m, record in months.items() if key in record.attempts and record.attempts[key].failed]
        for key in assets_of(service.table, cloud=True)
    }
    yield none_failed_verdict(service.name, failed)


def last_month_verdict(service: Service, wanted: Due, held: Collection[Month]) -> Verdict:
    """Whether the month that is due is in the table."""
    check = _last_month(service)
    newest = max(held, default=None)
    numbers = {"due": str(wanted.month or ""), "newest_loaded": str(newest or "")}
    if wanted.following:
        numbers |= {"next": str(wanted.following), "next_is_due": str(wanted.since)}
        ahead = f"{wanted.following} falls due on {wanted.since}."
    else:
        ahead = f"The partitions end with {wanted.month} (TAXI_LAST_MONTH), so that nothing newer is waited for."
    if wanted.month is None:
        return Verdict(check, True, f"No month is due yet. {ahead}", numbers=numbers)
    if wanted.month in held:
        return Verdict(check, True, f"{wanted.month} is loaded. {ahead}", numbers=numbers)
    told = f"the newest that is loaded is {newest}" if newest else "no month is loaded"
    story = (
        f"{wanted.month} is due and not loaded; {told}. Load it: taxi backfill {service.name} {wanted.month}. {ahead}"
    )
    return Verdict(check, False, story, numbers=numbers)


def none_failed_verdict(service: str, failed: Mapping[str, Sequence[Month]]) -> Verdict:
    """Whether there are months whose last run failed, by the assets that they were to be loaded into."""
    listed = {asset: spans(months) for asset, months in failed.items() if months}
    numbers = {"failed": sum(map(len, failed.values())), **listed}
    if not listed:
        return Verdict(NONE_FAILED, True, "No month is left failed.", numbers=numbers)
    told = "; ".join(f"{asset} {months}" for asset, months in listed.items())
    advice = f"See why with taxi status, and load them again: taxi backfill {service} FIRST..LAST --failed"
    return Verdict(NONE_FAILED, False, f"Left failed: {told}. {advice}", numbers=numbers)


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
