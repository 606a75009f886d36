"""The checks of a whole service: the last month is loaded in time, and no month is left failed."""

from datetime import datetime, timezone

import pytest

from taxi_platform.checks.services import due, last_month_result, none_failed_result
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN

FIRST, LAST = Month(2019, 1), Month(2021, 7)


def on(*day: int) -> datetime:
    return datetime(*day, 12, tzinfo=timezone.utc)


def wanted(*day: int) -> Month | None:
    return due(FIRST, LAST, on(*day), "UTC", GREEN.overdue_days)


@pytest.mark.parametrize(
    ("now", "month"),
    [
        ((2019, 6, 4), None),
        ((2019, 6, 5), Month(2019, 1)),
        ((2019, 7, 3), Month(2019, 2)),
        ((2021, 12, 3), Month(2021, 7)),
        ((2026, 11, 21), Month(2021, 7)),
    ],
)
def test_a_month_is_due_four_months_after_its_end_and_no_month_after_the_last_one(
    now: tuple[int, int, int], month: Month | None
) -> None:
    assert wanted(*now) == month


def test_the_deadline_is_a_day_in_the_schedules_time_zone() -> None:
    at = datetime(2019, 6, 5, 3, tzinfo=timezone.utc)  # still the fourth in New York
    assert due(FIRST, LAST, at, "UTC", GREEN.overdue_days) == Month(2019, 1)
    assert due(FIRST, LAST, at, "America/New_York", GREEN.overdue_days) is None


def test_only_the_month_that_is_due_counts_however_many_old_ones_are_loaded() -> None:
    december = wanted(2020, 5, 10)
    old = list(FIRST.through(Month(2019, 11)))
    result = last_month_result(GREEN, december, FIRST, LAST, old)
    assert not result.passed
    assert "2019-12 is due and not loaded; the newest loaded month is 2019-11" in result.description
    assert "taxi backfill green 2019-12. 2020-01 falls due on 2020-06-04." in result.description
    assert last_month_result(GREEN, december, FIRST, LAST, [*old, Month(2019, 12)]).passed


def test_after_the_last_partition_no_month_is_due() -> None:
    there = last_month_result(FHV, LAST, FIRST, LAST, [LAST])
    assert there.passed
    assert "The partitions end with 2021-07 (TAXI_LAST_MONTH), so no newer month is expected." in there.description
    absent = last_month_result(FHV, LAST, FIRST, LAST, [])
    assert not absent.passed
    assert "2021-07 is due and not loaded; no month is loaded." in absent.description


def test_the_check_passes_before_the_first_month_is_due() -> None:
    result = last_month_result(GREEN, None, FIRST, LAST, [])
    assert result.passed
    assert "No month is due yet. 2019-01 falls due on 2019-06-05." in result.description


def test_failed_months_are_listed_by_asset() -> None:
    failed = {
        "raw/green_tripdata": [],
        "green_tripdata": [Month(2019, 3), Month(2019, 4), Month(2019, 6)],
        "bigquery/green_tripdata": [Month(2020, 1)],
    }
    result = none_failed_result("green", failed)
    assert not result.passed
    assert "green_tripdata 2019-03..2019-04, 2019-06; bigquery/green_tripdata 2020-01." in result.description
    assert result.numbers["failed"] == 4
    assert none_failed_result("green", {"green_tripdata": []}).passed
