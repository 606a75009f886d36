"""The monthly schedules: which month each tick requests, in any time zone, and when it requests none."""

from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator  # the daemon gets its ticks from it
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_platform.errors import AccessDenied, InvalidSetting, NotPublished, SourceUnreachable, TaxiError
from taxi_platform.ledger.record import MonthRecord, State
from taxi_platform.operations.new_months import due_month, outside, reason_to_skip, waiting_month
from taxi_platform.sources.source import source_named
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.month_records import month_in

NEW_YORK = "America/New_York"
LAST = Month(2021, 7)
PARTITIONS = (Month(2019, 1), LAST)
services = st.sampled_from(list(SERVICES.values()))


def ticks(service: Service, zone: str, since: datetime, count: int) -> list[datetime]:
    cron = f"0 {service.schedule_hour} 1 * *"
    return list(islice(schedule_execution_time_iterator(since.timestamp(), cron, zone), count))


# Which month


@settings(max_examples=50, deadline=None)
@given(
    services, st.sampled_from(sorted(available_timezones())), st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1))
)
def test_in_any_time_zone_each_tick_requests_the_month_that_is_due_and_misses_none(
    service: Service, zone: str, since: datetime
) -> None:
    found = ticks(service, zone, since.replace(tzinfo=timezone.utc), 14)
    local = [tick.astimezone(ZoneInfo(zone)) for tick in found]
    months = [due_month(service, tick, zone) for tick in found]
    assert months == [Month(tick.year, tick.month).plus(-2) for tick in local]
    assert months == list(months[0].through(months[-1]))
    assert {tick.day for tick in local} == {1}


def test_a_month_ends_by_the_clock_of_the_time_zone() -> None:
    moment = datetime(2021, 4, 1, 2, tzinfo=timezone.utc)  # still March in New York, April in Tokyo
    assert due_month(GREEN, moment, NEW_YORK) == Month(2021, 1)
    assert due_month(GREEN, moment, "Asia/Tokyo") == Month(2021, 2)


# Which month is pending

SINCE = datetime(2021, 3, 15, tzinfo=timezone.utc)


def waiting(now: datetime, since: datetime = SINCE, **states: MonthRecord) -> Month | None:
    months = {str(month): month_in("missing", month) for month in Month(2020, 12).through(Month(2021, 6))}
    found = waiting_month((months | {str(one.month): one for one in states.values()}).values(), since, now, "UTC")
    return found and found.month


def test_a_month_is_pending_from_the_day_after_its_schedule() -> None:
    first_of_april = datetime(2021, 4, 1, 9, tzinfo=timezone.utc)
    assert waiting(first_of_april) is None
    assert waiting(first_of_april + timedelta(days=1)) == Month(2021, 2)
    assert waiting(first_of_april + timedelta(days=100)) == Month(2021, 2)


@pytest.mark.parametrize(("hour", "first"), [(8, Month(2021, 2)), (10, None)])
def test_on_the_first_of_a_month_only_a_schedule_that_has_not_ticked_yet_counts(hour: int, first: Month | None) -> None:
    since = datetime(2021, 4, 1, hour, tzinfo=timezone.utc)
    assert waiting(since + timedelta(days=20), since) == first


@pytest.mark.parametrize("state", ["materialized", "failed", "in progress", "file changed"])
def test_a_month_that_a_run_has_tried_to_load_is_not_pending(state: State) -> None:
    in_may = datetime(2021, 5, 2, 9, tzinfo=timezone.utc)
    assert waiting(in_may, february=month_in(state, Month(2021, 2))) == Month(2021, 3)


# Why none is requested


def test_a_month_outside_the_partitions_is_skipped_and_the_setting_is_named() -> None:
    assert outside(GREEN, Month(2021, 8), PARTITIONS) == (
        "2021-08 lies outside the months of green, 2019-01 to 2021-07. "
        "Set TAXI_LAST_MONTH=2021-08 or later to have it loaded."
    )
    assert "TAXI_FIRST_MONTH=2018-12 or earlier" in (outside(GREEN, Month(2018, 12), PARTITIONS) or "")
    assert [outside(GREEN, month, PARTITIONS) for month in PARTITIONS] == [None, None]


class Answering:
    """A source that answers every request with the same failure."""

    asking_is_free = False

    def __init__(self, failure: TaxiError) -> None:
        self.failure = failure

    def trips(self, service: Service, month: Month) -> str:
        return f"https://host/{service.file_name(month)}"

    def version(self, address: str) -> object:
        raise self.failure


def reason(source: object, month: Month = LAST) -> str | None:
    return reason_to_skip(GREEN, month, PARTITIONS, lambda: source)  # pyright: ignore[reportArgumentType]


def test_the_source_is_not_asked_about_a_month_outside(caplog: pytest.LogCaptureFixture) -> None:
    skipped = reason(Answering(SourceUnreachable("x", "must not be asked")), Month(2021, 8))
    assert "TAXI_LAST_MONTH" in (skipped or "")
    assert caplog.messages == []


def test_a_month_that_is_not_published_is_skipped_with_the_reason_of_the_source() -> None:
    skipped = reason(Answering(NotPublished("green_tripdata_2021-07.csv.gz", "https://host/… answers 404 Not Found")))
    assert skipped == (
        "Not published yet: https://host/… answers 404 Not Found. The due_month_sensor asks again every day."
    )


@pytest.mark.parametrize(
    "failure",
    [SourceUnreachable("f", "no answer"), AccessDenied("f", "answers 403"), InvalidSetting("TAXI_SOURCE", "gone")],
)
def test_any_other_error_of_the_source_is_logged_and_left_to_the_run(
    failure: TaxiError, caplog: pytest.LogCaptureFixture
) -> None:
    assert reason(Answering(failure)) is None
    assert caplog.messages == [f"{failure} The run will find out."]


def test_a_folder_that_is_not_mounted_is_left_to_the_run(tmp_path: Path) -> None:
    assert reason_to_skip(GREEN, LAST, PARTITIONS, lambda: source_named(str(tmp_path / "away"))) is None
