"""The schedules as the daemon evaluates them: with a real server of files, a real instance and the requested run."""

from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from taxi_platform.defs.resources import resources_for
from taxi_platform.operations.new_months import due_month
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import settings
from taxi_platform.trips.services import GREEN, SERVICES
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import Answer, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

PATH = "/green/green_tripdata_2021-07.csv.gz"


def tick(platform: Platform, service: str, *when: int, zone: str = "UTC") -> dg.RunRequest | str:
    """Evaluate the tick of this past moment, and return the requested run, or why none is requested."""
    definitions = platform.definitions()
    with dg.build_schedule_context(
        platform.instance,
        scheduled_execution_time=datetime(*when, tzinfo=ZoneInfo(zone)),  # pyright: ignore[reportArgumentType]
        repository_def=definitions.get_repository_def(),
        resources={"raw_files": resources_for(settings())["raw_files"]},
    ) as context:
        answer = definitions.resolve_schedule_def(f"{service}_monthly_schedule").evaluate_tick(context)
    if answer.skip_message:
        assert not answer.run_requests
        return answer.skip_message
    assert answer.run_requests
    (request,) = answer.run_requests
    return request


@pytest.fixture
def published(server: TripServer, platform: Platform) -> TripServer:
    """Publish green's July of 2021, the last partition, on a server that is the platform's source."""
    server.publish(PATH, zipped(text(GREEN, rows(GREEN, 12))))
    platform.use(TAXI_SOURCE=server.template)
    return server


def test_they_are_on_by_default_in_the_time_zone_of_the_setting(platform: Platform) -> None:
    platform.use(TAXI_SCHEDULE_TIMEZONE="America/New_York")
    for service in SERVICES.values():
        schedule = platform.definitions().resolve_schedule_def(f"{service.name}_monthly_schedule")
        assert schedule.execution_timezone == "America/New_York"
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert schedule.job_name == f"{service.table}_job"


def test_a_tick_requests_the_month_that_is_due_and_its_run_loads_it(published: TripServer, platform: Platform) -> None:
    request = tick(platform, "green", 2021, 9, 1, 9)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2021-07"
    labels = {"taxi": "green", "file": "green_tripdata_2021-07.csv", "trigger": "schedule:green_monthly_schedule"}
    assert labels.items() <= request.tags.items()
    assert [asked.method for asked in published.requests] == ["HEAD"]
    run = platform.run_job("green_tripdata_job", request)
    assert run.succeeded
    assert platform.count("green_tripdata", "2021-07") == 12
    assert platform.recorded("raw/green_tripdata") == platform.recorded("green_tripdata") == {"2021-07"}
    assert run.labels() == labels


def test_a_month_that_is_not_published_yet_is_skipped_with_the_servers_response(
    published: TripServer, platform: Platform
) -> None:
    reason = tick(platform, "yellow", 2021, 9, 1, 10)
    assert isinstance(reason, str)
    assert reason.startswith("Not published yet: ")
    assert f"{published.url}/yellow/yellow_tripdata_2021-07.csv.gz answers 404" in reason


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(status=429, headers={"Retry-After": "3600"})])
def test_an_error_of_the_server_is_left_to_the_run(answer: Answer, published: TripServer, platform: Platform) -> None:
    published.script(PATH, answer, answer)
    request = tick(platform, "green", 2021, 9, 1, 9)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2021-07"
    assert len(published.requests) <= 2


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York", "Pacific/Honolulu", "UTC"])
def test_the_month_that_a_tick_requests_is_the_newest_partition_by_then(zone: str, platform: Platform) -> None:
    platform.use(TAXI_SCHEDULE_TIMEZONE=zone, TAXI_LAST_MONTH="")
    for month in range(1, 13):
        moment = datetime(2025, month, 1, 9, tzinfo=ZoneInfo(zone))
        assert monthly_partitions(GREEN).get_partition_keys(moment)[-1] == str(due_month(GREEN, moment, zone))
