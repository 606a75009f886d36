"""The check results of a month: whether it equals its file, and whether it looks like other months. Pure.

A month that differs from its file was loaded wrongly or edited by hand, so these checks block. A month that breaks a
rule or has an unusual size was published so, and these checks only warn.
"""

from collections.abc import Iterator

from taxi_platform.checks.facts import MonthFacts
from taxi_platform.checks.results import Check, CheckResult
from taxi_platform.checks.rules import UNIQUE_IDS, Rule, condition, rules_of
from taxi_platform.postgres import tables
from taxi_platform.trips.keys import COLUMNS_CHECK, FILE_CHECK, ROWS_CHECK
from taxi_platform.trips.services import Service

ROWS = Check(ROWS_CHECK, "Every row of the file is in the table or among the rejects, once.", blocks=True)
FILE = Check(FILE_CHECK, "The table was loaded from the raw file (same SHA-256) and not replaced since.", blocks=True)
COLUMNS = Check(COLUMNS_CHECK, "The table has the contract's columns and types, in its order.", blocks=True)
BLOCKING = (ROWS, FILE, COLUMNS)
VOLUME = Check(
    "volume_is_plausible",
    "A month has neither less than half nor more than twice as many trips a day as the month before.",
    "Of 105 steps from month to month whose rows are known, five lie outside, each for a known "
    "cause: the lockdown of 2020 (yellow 2020-03, all three 2020-04), and fhv 2019-02, when high-volume services left.",
)
NOTHING_IGNORED = Check(
    "no_column_is_ignored",
    "Every column of the file is in the table.",
    "With TAXI_ON_NEW_COLUMNS=ignore, a month is loaded without the columns that the contract does not know.",
)
LEAST, MOST = 0.5, 2.0


def blocking_results(service: Service, facts: MonthFacts) -> Iterator[CheckResult]:
    """Yield the results of the checks that block."""
    if facts.is_there:
        yield from (_rows_result(service, facts), _file_result(service, facts), _columns_result(service, facts))
        return
    for check in BLOCKING:
        yield _blocking(check, service, facts, f"There is no table {tables.partition_of(service, facts.month)}.")


def _blocking(
    check: Check, service: Service, facts: MonthFacts, problem: str, passes: str = "", **numbers: object
) -> CheckResult:
    """Return the result of a check that blocks if there is a problem, with the command that loads the month again."""
    load_again = f"{problem} Load it again: taxi backfill {service.name} {facts.month} --all"
    return CheckResult(check, not problem, load_again if problem else passes, facts.month, numbers)


def _rows_result(service: Service, facts: MonthFacts) -> CheckResult:
    in_file = facts.raw.rows if facts.raw else facts.record and facts.record.facts.rows
    counted = f"{facts.rows:,} in the table and {facts.rejected:,} among the rejects"
    counted += f", of {in_file:,} rows in the file." if in_file is not None else "; its file has no record."
    numbers = {"rows_in_file": in_file, "rows_in_table": facts.rows, "rows_rejected": facts.rejected}
    problem = "" if in_file == facts.rows + facts.rejected else counted
    return _blocking(ROWS, service, facts, problem, counted, **numbers)


def _file_result(service: Service, facts: MonthFacts) -> CheckResult:
    recorded, raw = facts.record and facts.record.facts.sha256, facts.raw and facts.raw.sha256
    problem = ""
    if facts.record is None:
        problem = "There is no record of the file from which the table was made."
    elif not facts.record.untouched:
        problem = "The table is not the one that was loaded: it was rewritten, truncated or detached since."
    elif raw and raw != recorded:
        problem = f"The table was made from {recorded}, and the raw file is {raw}."
    passes = f"Made from {recorded}" + (", the raw file." if raw else "; no raw file is stored or on record any more.")
    return _blocking(FILE, service, facts, problem, passes, sha256_of_table=recorded, sha256_of_raw_file=raw)


def _columns_result(service: Service, facts: MonthFacts) -> CheckResult:
    actual = [name for name, _ in facts.columns]
    first = ["unique_row_id", "filename", *(column.name for column in service.first_columns)]
    problem = ""
    differences = tables.differences(service, dict(facts.columns))
    if differences or actual[: len(first)] != first:
        problem = f"The table differs from the contract: {'; '.join(differences) or 'columns in another order'}."
    elif facts.record and not facts.record.current:
        problem = "The month was loaded by an earlier contract."
    passes = f"All {len(actual)} columns are the contract's."
    return _blocking(COLUMNS, service, facts, problem, passes, columns=len(actual))


def warning_checks(service: Service) -> list[Check]:
    """Return the checks that warn of a service; rules about columns that it lacks are left out."""
    return [*(rule.check for rule in rules_of(service).values()), VOLUME, NOTHING_IGNORED]


def warning_results(service: Service, facts: MonthFacts) -> Iterator[CheckResult]:
    """Yield the results of the checks that warn."""
    if not facts.is_there:
        yield from (_not_checked(check, facts, "it is not in the table") for check in warning_checks(service))
        return
    for rule in rules_of(service).values():
        yield _rule_result(service, rule, facts)
    yield _volume_result(facts)
    ignored = facts.record.ignored if facts.record else ""
    description = f"Not in the table, because the contract does not know them: {ignored or 'none'}."
    yield CheckResult(NOTHING_IGNORED, not ignored, description, facts.month, {"ignored": ignored})


def _not_checked(check: Check, facts: MonthFacts, why: str) -> CheckResult:
    return CheckResult(check, False, f"{facts.month} could not be checked: {why}.", facts.month)


def _rule_result(service: Service, rule: Rule, facts: MonthFacts) -> CheckResult:
    check, month = rule.check, facts.month
    if check.name not in facts.broken:
        return _not_checked(check, facts, "its columns differ from the contract")
    broken, rows = facts.broken[check.name], facts.rows
    share = round(broken / rows, 6) if rows else 0.0
    allowed = rule.allowed(rows)
    numbers = {"rows": rows, "rows_in_question": broken, "share": share, "allowed_share": rule.share}
    if check.name == "zones_are_known":
        numbers |= facts.no_zone
    description = f"{broken:,} of {rows:,} rows ({share:.3%}); up to {allowed:,} are allowed."
    of_file = f"from {tables.table_of(service)} where filename = {tables.literal(service.file_name(month))}"
    query = f"select * {of_file} and ({condition(service, month, rule, facts.unknown)})"
    if check.name == UNIQUE_IDS:
        query = f"select unique_row_id, count(*) {of_file} group by 1 having count(*) > 1"
    return CheckResult(check, broken <= allowed, description, month, numbers, query, facts.samples.get(check.name, ()))


def _volume_result(facts: MonthFacts) -> CheckResult:
    month, before = facts.month, facts.month.plus(-1)
    daily = facts.rows / month.days
    numbers: dict[str, float] = {"rows": facts.rows, "rows_a_day": round(daily)}
    if not facts.rows_before:
        description = f"{daily:,.0f} trips a day; {before} is not loaded, so there is nothing to compare with."
        return CheckResult(VOLUME, True, description, month, numbers)
    daily_before = facts.rows_before / before.days
    ratio = daily / daily_before
    numbers |= {"rows_a_day_before": round(daily_before), "ratio": ratio}
    description = f"{daily:,.0f} trips a day are {ratio:.2f} times those of {before}; {LEAST} to {MOST} pass."
    return CheckResult(VOLUME, LEAST <= ratio <= MOST, description, month, numbers)
