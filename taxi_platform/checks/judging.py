"""What is said of a month by its rules and by its size. Pure; nothing here blocks."""

from calendar import monthrange
from collections.abc import Iterator

from taxi_platform.checks import queries as statements
from taxi_platform.checks.facts import MonthFacts
from taxi_platform.checks.results import Check, Verdict
from taxi_platform.checks.rules import Rule, rules_of, unique_ids
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

VOLUME = Check(
    "volume_is_plausible",
    "A month has neither less than half nor more than twice as many trips a day as the month before.",
    "Of 105 steps from month to month whose rows are known, five lie outside, each for a cause that one wants to be "
    "told: the lockdown of 2020 (yellow 2020-03, all three 2020-04), and fhv 2019-02, when high-volume services left.",
)
LEAST, MOST = 0.5, 2.0


def quality_checks(service: Service) -> list[Check]:
    """The checks that warn, of the columns that a service has."""
    return [*(rule.check for rule in rules_of(service).values()), unique_ids(service).check, VOLUME]


def quality_verdicts(service: Service, facts: MonthFacts) -> Iterator[Verdict]:
    """The verdicts of all checks that warn."""
    for rule in (*rules_of(service).values(), unique_ids(service)):
        yield _judge(service, rule, facts)
    yield _volume(service, facts)


def _judge(service: Service, rule: Rule, facts: MonthFacts) -> Verdict:
    check, month = rule.check, facts.month
    if check.name not in facts.broken:
        why = "its columns differ from the contract" if facts.is_there else "it is not in the table"
        return Verdict(check, False, f"{month} could not be looked at: {why}.", month)
    broken, rows = facts.broken[check.name], facts.rows
    share = round(broken / rows, 6) if rows else 0.0
    allowed = rule.allowed(rows)
    numbers = {"rows": rows, "rows_in_question": broken, "share": share, "allowed_share": rule.share}
    if check.name == "zones_are_known":
        numbers |= facts.no_zone
    story = f"{broken:,} of {rows:,} rows ({share:.3%}); up to {allowed:,} are let pass."
    query = statements.listing(service, month, rule, facts.unknown)
    return Verdict(check, broken <= allowed, story, month, numbers, query, facts.samples.get(check.name, ()))


def _volume(service: Service, facts: MonthFacts) -> Verdict:
    month, before = facts.month, facts.month.plus(-1)
    if not facts.is_there:
        return Verdict(VOLUME, False, f"{month} could not be looked at: it is not in the table.", month)
    daily = facts.rows / _days(month)
    numbers: dict[str, float] = {"rows": facts.rows, "rows_a_day": round(daily)}
    if not facts.rows_before:
        story = f"{daily:,.0f} trips a day; {before} is not loaded, so that there is nothing to compare with."
        return Verdict(VOLUME, True, story, month, numbers)
    daily_before = facts.rows_before / _days(before)
    ratio = daily / daily_before
    numbers |= {"rows_a_day_before": round(daily_before), "ratio": ratio}
    story = f"{daily:,.0f} trips a day are {ratio:.2f} times those of {before}; {LEAST} to {MOST} pass."
    return Verdict(VOLUME, LEAST <= ratio <= MOST, story, month, numbers)


def _days(month: Month) -> int:
    return monthrange(month.year, month.month)[1]
