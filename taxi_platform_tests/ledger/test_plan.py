"""Backfill plans: parsing the typed services and months, choosing the months and why, and dividing them into runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import InvalidRequest
from taxi_platform.ledger.plan import Plan, make_plan, months_in, parse_services, parse_span, reason_of
from taxi_platform.ledger.record import MonthRecord
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW
from taxi_platform_tests.support.month_records import month_in

STATES = ("materialized", "failed", "missing", "in progress", "file changed")
CHOICES = ("missing", "failed", "all")
COVERED = list(Month(2019, 1).through(Month(2021, 7)))

covered = st.sampled_from(COVERED)
# Records of some covered months of some services in any states, in the order in which commands list them.
known = st.dictionaries(st.tuples(st.sampled_from(list(SERVICES)), covered), st.sampled_from(STATES)).map(
    lambda found: [
        month_in(found[name, month], month, name) for name in SERVICES for month in COVERED if (name, month) in found
    ]
)


def states(service: str = "green", **months: str) -> list[MonthRecord]:
    """Return months of 2019 in these states, e.g. ``m03="missing"``."""
    return [month_in(state, Month(2019, int(name[1:])), service) for name, state in months.items()]  # pyright: ignore


def planned(plan: Plan) -> list[tuple[str, str, str]]:
    return [(one.service.name, str(one.month), reason_of(one)) for one in plan.planned]


def spans(plan: Plan) -> list[tuple[str, str, str]]:
    return [(run[0].service.name, str(run[0].month), str(run[-1].month)) for run in plan.month_ranges()]


# Parsing the command's arguments


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("green", [GREEN]),
        ("green,yellow", [GREEN, YELLOW]),
        ("yellow, green", [GREEN, YELLOW]),
        ("fhv,fhv", [FHV]),
        ("all", list(SERVICES.values())),
        ("green,all", list(SERVICES.values())),
    ],
)
def test_services_are_named_one_by_one_or_all(text: str, services: list[object]) -> None:
    assert parse_services(text) == services


@pytest.mark.parametrize("text", ["", "red", "green,", "Green", "green yellow", "green,red"])
def test_the_error_for_an_unknown_service_lists_the_services(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"no such service\. Write green, yellow, fhv, fhvhv or all\."):
        parse_services(text)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2019-03", "2019-03", "2019-03"),
        ("2019-01..2019-12", "2019-01", "2019-12"),
        ("2019-01...2019-12", "2019-01", "2019-12"),
        (" 2019-01 .. 2019-12 ", "2019-01", "2019-12"),
        ("2019-05..2019-05", "2019-05", "2019-05"),
        ("2019-05..", "2019-05", None),
        ("..2019-05", None, "2019-05"),
        ("..", None, None),
    ],
)
def test_months_are_one_month_or_a_range_whose_ends_may_be_open(text: str, first: str, last: str | None) -> None:
    assert tuple(end and str(end) for end in parse_span(text)) == (first, last)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2019-12..2019-01", "the first month lies after the last. Write 2019-01..2019-12."),
        ("2019-13", "there is no month 2019-13"),
        ("2019-01..2019-00", "there is no month 2019-00"),
        ("2019", "'2019' is not a month"),
        ("", "'' is not a month"),
        ("2019-01..2019-02..2019-03", "is not a month"),
        ("2019-01....2019-03", "is not a month"),
        ("2019-01.2019-03", "is not a month"),
        ("2019-01-15..2019-03", "'2019-01-15' is not a month"),
        ("januari", "'januari' is not a month"),
    ],
)
def test_invalid_months_are_refused_with_a_valid_example(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_span(text)
    assert message in str(caught.value)
    assert "2019-01..2019-12" in str(caught.value)
    assert "\n" not in str(caught.value)


@given(first=covered, last=covered, dots=st.sampled_from(["..", "..."]))
def test_a_month_range_includes_both_ends_and_every_month_between(first: Month, last: Month, dots: str) -> None:
    text = f"{first}{dots}{last}"
    if last < first:
        with pytest.raises(InvalidRequest):
            parse_span(text)
    else:
        assert months_in(parse_span(text), GREEN, COVERED) == [m for m in COVERED if first <= m <= last]


@given(end=covered)
def test_an_open_end_extends_to_the_first_or_last_partition(end: Month) -> None:
    assert months_in((end, None), GREEN, COVERED) == [month for month in COVERED if month >= end]
    assert months_in((None, end), GREEN, COVERED) == [month for month in COVERED if month <= end]
    assert months_in((None, None), GREEN, COVERED) == COVERED


@pytest.mark.parametrize("text", ["2018-12", "2018-12..2019-03", "2021-07..2021-08", "2021-08..", "..2018-12"])
def test_the_error_for_a_month_outside_the_partitions_lists_them(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^20(18-12|21-08): .*green has 2019-01 to 2021-07\."):
        months_in(parse_span(text), GREEN, COVERED)


# Choosing the months


def test_by_default_every_month_that_is_not_loaded_is_planned_with_its_reason() -> None:
    plan = make_plan(states(m01="materialized", m02="missing", m03="failed", m04="file changed"), "missing")
    assert planned(plan) == [
        ("green", "2019-02", "missing"),
        ("green", "2019-03", "failed"),
        ("green", "2019-04", "file changed"),
    ]
    assert (plan.left_out, plan.force) == ({"materialized": 1}, False)


@given(found=known, choice=st.sampled_from(CHOICES), newest_first=st.booleans())
def test_a_plan_has_every_month_that_the_choice_includes(
    found: list[MonthRecord], choice: str, newest_first: bool
) -> None:
    plan = make_plan(found, choice, newest_first=newest_first)  # pyright: ignore[reportArgumentType]
    expected: list[tuple[str, str, str]] = []
    counts = {"materialized": 0, "failed": 0, "missing": 0, "file changed": 0}
    for name in SERVICES:
        for one in sorted(found, key=lambda one: one.month, reverse=newest_first):
            if one.service.name != name or one.state == "in progress":
                continue
            if (choice == "failed" and one.state != "failed") or (choice == "missing" and one.state == "materialized"):
                counts[one.state] += 1
            else:
                expected.append((name, str(one.month), "forced" if one.state == "materialized" else one.state))
    assert planned(plan) == expected
    assert plan.left_out == {state: count for state, count in counts.items() if count}
    assert plan.in_progress == [one for one in found if one.state == "in progress"]


# Dividing the plan into runs


@given(found=known, newest_first=st.booleans())
def test_ranges_have_no_gaps_and_contain_each_planned_month_once(found: list[MonthRecord], newest_first: bool) -> None:
    plan = make_plan(found, "missing", newest_first=newest_first)
    in_ranges = [(one.service.name, str(one.month)) for run in plan.month_ranges() for one in run]
    assert sorted(in_ranges) == sorted((name, month) for name, month, _ in planned(plan))
    for run in plan.month_ranges():
        for neighbour in (run[0].month.plus(-1), run[-1].month.plus(1)):
            assert (run[0].service.name, str(neighbour)) not in in_ranges
    if newest_first:
        lasts = [run[-1].month for run in plan.month_ranges()]
        assert lasts == sorted(lasts, reverse=True)
    batches = plan.batches()
    assert sorted((one.service.name, str(one.month)) for batch in batches for one in batch) == sorted(in_ranges)
    assert all(len({one.service.name for one in batch}) == 1 for batch in batches)


def test_there_is_one_backfill_per_service_or_per_range_when_the_newest_comes_first() -> None:
    months = {f"m{month:02d}": "materialized" if month == 6 else "missing" for month in range(1, 13)}
    found = [*states(**months), *states("fhv", **months)]
    assert [len(batch) for batch in make_plan(found, "missing").batches()] == [11, 11]
    newest = make_plan(found, "missing", newest_first=True)
    assert spans(newest) == [
        ("green", "2019-07", "2019-12"),
        ("fhv", "2019-07", "2019-12"),
        ("green", "2019-01", "2019-05"),
        ("fhv", "2019-01", "2019-05"),
    ]
    assert newest.batches() == newest.month_ranges()


def test_a_run_refreshes_the_files_of_its_failed_and_changed_months() -> None:
    found = states(m01="missing", m02="failed", m03="file changed", m05="failed")
    plan = make_plan([*found, *states("fhv", m02="failed")], "missing")
    (green, _) = plan.batches()
    assert plan.run_config(green) == {
        "ops": {"green_tripdata": {"config": {"refresh": ["2019-02", "2019-03", "2019-05"]}}}
    }
    assert plan.run_config(green[-1:]) == {"ops": {"green_tripdata": {"config": {"refresh": ["2019-05"]}}}}


def test_the_run_configuration_contains_only_values_that_are_not_the_default() -> None:
    found = states(m01="missing", m02="materialized")
    assert make_plan(found, "missing").run_config(found[:1]) == {"ops": {"green_tripdata": {"config": {}}}}
    plan = make_plan(found, "all", newest_first=True)
    assert plan.run_config(found) == {"ops": {"green_tripdata": {"config": {"force": True, "newest_first": True}}}}
