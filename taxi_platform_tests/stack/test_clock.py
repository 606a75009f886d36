"""The clock passes the end of a month while the services run."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.clock import Clock
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.year import Year

START = """mutation($schedule: ScheduleSelector!) { startSchedule(scheduleSelector: $schedule) {
    __typename ... on ScheduleStateResult { scheduleState { status } }
} }"""
RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs {
    results { status tags { key value } }
} } }"""
OF_THE_SCHEDULE = {"tags": [{"key": "dagster/schedule_name", "value": "green_monthly_schedule"}]}
SCHEDULE = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "taxi_platform",
    "scheduleName": "green_monthly_schedule",
}


def moment(text: str) -> datetime.datetime:
    """A time in UTC."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """The last minute of February 2019."""
    try:
        return Clock(tmp_path / "clock", moment("2019-02-28 23:59:30"))
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def stack(source: TripServer, clock: Clock) -> Iterator[Stack]:
    """Services of this test's own, for they live in another year than the others'."""
    months = {"TAXI_FIRST_MONTH": "2019-01", "TAXI_LAST_MONTH": "2019-12"}
    with Stack(clock=clock, TAXI_SOURCE=source.template, **months) as stack:
        yield stack


def runs(stack: Stack) -> list[tuple[str, str]]:
    """What the schedule has started: months and how they ended, the newest first."""
    found = stack.graphql(RUNS, filter=OF_THE_SCHEDULE)["runsOrError"]["results"]
    months = [{tag["key"]: tag["value"] for tag in run["tags"]}["dagster/partition"] for run in found]
    return [(month, run["status"]) for month, run in zip(months, found, strict=True)]


def test_when_the_clock_passes_the_end_of_a_month_its_schedule_loads_that_month_once(
    stack: Stack, source: TripServer, clock: Clock, tmp_path: Path
) -> None:
    year = Year(stack, source, 2019, [GREEN], tmp_path, months=[1, 2, 3])
    started = stack.graphql(START, schedule=SCHEDULE)["startSchedule"]
    assert started == {"__typename": "ScheduleStateResult", "scheduleState": {"status": "RUNNING"}}
    clock.set(moment("2019-03-01 08:59:57"))
    assert runs(stack) == []
    stack.wait(lambda: runs(stack) == [("2019-02", "SUCCESS")], "February loaded")
    clock.set(moment("2019-04-01 09:00:02"))
    stack.wait(lambda: runs(stack) == [("2019-03", "SUCCESS"), ("2019-02", "SUCCESS")], "March loaded")
    assert list(year.loaded("green_tripdata")) == ["green_tripdata_2019-02.csv", "green_tripdata_2019-03.csv"]
