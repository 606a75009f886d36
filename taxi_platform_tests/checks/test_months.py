"""The check results of a month, from made-up facts: no database, no Dagster."""

from dataclasses import replace

import pytest

from taxi_platform.checks.facts import MonthFacts
from taxi_platform.checks.months import BLOCKING, blocking_results, warning_checks, warning_results
from taxi_platform.checks.results import CheckResult
from taxi_platform.checks.rules import FEW, rules_of
from taxi_platform.postgres import tables
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.keys import BLOCKING_CHECKS
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.month_records import load_record

MARCH = Month(2019, 3)
SHA, OTHER = "a" * 64, "b" * 64


def facts(service: Service = GREEN, rows: int = 100_000) -> MonthFacts:
    """Return the facts of a month without faults."""
    return MonthFacts(
        month=MARCH,
        columns=list(tables.column_types(service).items()),
        record=load_record(rows, sha256=SHA),
        raw=FileFacts(0, 0, SHA, rows),
        rows=rows,
        broken=dict.fromkeys(rules_of(service), 0),
    )


def shape(found: MonthFacts, service: Service = GREEN) -> dict[str, CheckResult]:
    return {result.check.name: result for result in blocking_results(service, found)}


def quality(found: MonthFacts, service: Service = GREEN) -> dict[str, CheckResult]:
    return {result.check.name: result for result in warning_results(service, found)}


def failing(found: MonthFacts) -> list[str]:
    return [name for name, result in shape(found).items() if not result.passed]


def test_the_ledger_lists_exactly_the_checks_that_block() -> None:
    assert tuple(check.name for check in BLOCKING) == BLOCKING_CHECKS


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_month_without_a_fault_passes_all_checks(service: Service) -> None:
    found = facts(service)
    assert all(result.passed for result in (*blocking_results(service, found), *warning_results(service, found)))


# Shape


def test_rows_are_compared_with_the_raw_file_and_not_with_the_load_record() -> None:
    assert failing(replace(facts(), raw=FileFacts(0, 0, SHA, 99_000))) == ["row_count_matches_file"]
    assert failing(replace(facts(), raw=None)) == []


def test_an_additional_missing_or_misplaced_column_blocks_and_is_named() -> None:
    columns = list(tables.column_types(GREEN).items())
    lacking = shape(replace(facts(), columns=columns[1:]))["columns_match_contract"]
    assert "it lacks unique_row_id text" in lacking.description
    surplus = shape(replace(facts(), columns=[*columns, ("note", "text")]))["columns_match_contract"]
    assert "it has note text instead or as well" in surplus.description
    moved = shape(replace(facts(), columns=[columns[1], columns[0], *columns[2:]]))["columns_match_contract"]
    assert "another order" in moved.description
    assert not any(result.passed for result in (lacking, surplus, moved))


def test_columns_that_were_added_to_the_contract_later_may_be_absent_and_in_any_order() -> None:
    columns = list(tables.column_types(GREEN).items())
    first, later = columns[: 2 + len(GREEN.first_columns)], columns[2 + len(GREEN.first_columns) :]
    assert len(later) == 2
    for some in (first, [*first, *later[::-1]]):
        assert shape(replace(facts(), columns=some))["columns_match_contract"].passed


def test_a_blocking_result_names_the_command_that_loads_the_month_again() -> None:
    assert "taxi backfill green 2019-03 --all" in shape(replace(facts(), rows=1))["row_count_matches_file"].description


def test_a_month_without_a_table_passes_no_check() -> None:
    found = {**shape(MonthFacts(MARCH)), **quality(MonthFacts(MARCH))}
    assert not any(result.passed for result in found.values())
    assert "There is no table public.green_tripdata_2019_03." in found["row_count_matches_file"].description


# Quality


@pytest.mark.parametrize("name", rules_of(GREEN))
def test_a_rule_warns_above_its_threshold_and_not_at_it(name: str) -> None:
    allowed = rules_of(GREEN)[name].allowed(100_000)
    for broken, passed in ((allowed, True), (allowed + 1, False)):
        result = quality(replace(facts(), broken={**facts().broken, name: broken}))[name]
        assert result.passed == passed
        assert not result.check.blocks
        assert result.numbers["rows_in_question"] == broken
        assert result.numbers["share"] == round(broken / 100_000, 6)


def test_a_few_rows_do_not_make_a_small_month_suspicious_unless_one_is_too_many() -> None:
    rules = rules_of(GREEN)
    assert rules["pickups_lie_in_month"].allowed(100) == FEW
    assert rules["zones_are_known"].allowed(100) == 0
    assert rules["row_ids_are_unique"].allowed(10**6) == 0


def test_thresholds_let_the_measured_months_pass() -> None:
    # For each rule, the broken rows and all rows of the worst measured month; see docs/quality.md.
    measured = {
        "pickups_lie_in_month": (6, 35_612),
        "dropoffs_follow_pickups": (3, 81_063),
        "zones_are_known": (0, 87_987),
        "vendors_are_known": (26_074, 57_360),
        "totals_are_not_negative": (122, 35_612),
    }
    for name, (broken, rows) in measured.items():
        assert broken <= rules_of(GREEN)[name].allowed(rows)


def test_the_checks_follow_from_the_columns_of_the_contract() -> None:
    names = {service.name: {check.name for check in warning_checks(service)} for service in SERVICES.values()}
    assert names["green"] == names["yellow"]
    assert names["green"] - names["fhv"] == {"vendors_are_known", "totals_are_not_negative"}


def test_rules_that_could_not_be_evaluated_do_not_pass() -> None:
    result = quality(replace(facts(), broken={}))["zones_are_known"]
    assert not result.passed
    assert "could not be checked: its columns differ from the contract" in result.description


@pytest.mark.parametrize(
    ("before", "passed"),
    [(180_645, True), (45_162, True), (180_646, False), (45_161, False), (None, True), (0, True)],
)
def test_a_month_of_another_size_warns(before: int | None, passed: bool) -> None:
    # Per day, March must have between half and twice as many trips as February. March has 100,000 trips in 31 days.
    assert quality(replace(facts(), rows_before=before))["volume_is_plausible"].passed == passed
