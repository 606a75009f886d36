"""The sensors that ask the source, against a real server of files and a real instance, their runs included."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.storage.schedules.sqlite import SqliteScheduleStorage

from taxi_platform import dagster_private
from taxi_platform.defs.resources import resources_for
from taxi_platform.settings import settings
from taxi_platform.trips.services import GREEN, SERVICES
from taxi_platform_tests.support.asset_runs import Platform, Run
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_server import Answer, Published, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

NAME, DUE = "new_month_sensor", "due_month_sensor"


class Sensor:
    """The sensor, which passes its cursor from tick to tick like the daemon."""

    def __init__(self, platform: Platform, name: str = NAME) -> None:
        self.platform = platform
        self.name = name
        self.cursor: str | None = None
        self.summary = ""

    def tick(self) -> list[dg.RunRequest]:
        """Evaluate a tick, and return its requests without those whose run key exists, as the daemon does."""
        definitions = self.platform.definitions()
        with dg.build_sensor_context(
            self.platform.instance,
            cursor=self.cursor,
            repository_def=definitions.get_repository_def(),
            resources={"raw_files": resources_for(settings())["raw_files"]},
            sensor_name=self.name,
        ) as context:
            answer = definitions.resolve_sensor_def(self.name).evaluate_tick(context)
        self.cursor = answer.cursor
        self.summary = answer.skip_message or ""
        known = {run.tags.get("dagster/run_key") for run in self.platform.instance.get_runs()}
        return [request for request in answer.run_requests or [] if request.run_key not in known]

    def run(self, requests: Iterable[dg.RunRequest]) -> list[Run]:
        return [
            self.platform.run_job(
                str(request.job_name),
                dg.RunRequest(
                    partition_key=request.partition_key,
                    tags={**request.tags, "dagster/run_key": str(request.run_key)},
                ),
            )
            for request in requests
        ]


@pytest.fixture
def sensor(server: TripServer, platform: Platform, tmp_path: Path) -> Sensor:
    """Return the sensor of a platform for 2019-01 to 2019-03, whose source has nothing yet."""
    # An instance in memory does not store which schedules were stopped.
    instance: Any = platform.instance
    instance._schedule_storage = SqliteScheduleStorage.from_local(str(tmp_path))
    platform.use(TAXI_SOURCE=server.template, TAXI_LAST_MONTH="2019-03")
    return Sensor(platform)


def path(month: str, service: str = "green") -> str:
    return f"/{service}/{service}_tripdata_{month}.csv.gz"


def file(count: int) -> bytes:
    return zipped(text(GREEN, rows(GREEN, count)))


def files_of(requests: Iterable[dg.RunRequest]) -> list[str]:
    return sorted(str(request.tags["file"]) for request in requests)


def test_a_month_that_appears_is_loaded_once(sensor: Sensor, server: TripServer) -> None:
    assert sensor.tick() == []
    assert sensor.summary == "Asked about 12 of 12 months: 12 not published."
    server.publish(path("2019-02"), file(20))
    requests = sensor.tick()
    assert files_of(requests) == ["green_tripdata_2019-02.csv"]
    (run,) = sensor.run(requests)
    assert run.succeeded
    assert run.labels() == {
        "taxi": "green", "file": "green_tripdata_2019-02.csv", "trigger": "sensor:new_month_sensor",
    }  # fmt: skip
    assert sensor.platform.count("green_tripdata", "2019-02") == 20
    assert sensor.tick() == []


def test_a_file_that_is_published_again_is_loaded_again(sensor: Sensor, server: TripServer) -> None:
    server.publish(path("2019-01"), file(10))
    server.publish(path("2019-02"), file(20))
    sensor.run(sensor.tick())
    for other in (Published(file(7), etag='"v2"'), Published(file(8), modified="Wed, 03 Apr 2019 10:00:00 GMT")):
        server.publish(path("2019-01"), other)
        requests = sensor.tick()
        assert files_of(requests) == ["green_tripdata_2019-01.csv"]
        sensor.run(requests)
        assert sensor.tick() == []
    assert sensor.platform.count("green_tripdata", "2019-01") == 8


def test_a_parquet_month_that_is_published_again_is_loaded_again(sensor: Sensor, server: TripServer) -> None:
    sensor.platform.use(TAXI_SOURCE=server.template.replace(".csv.gz", ".parquet"))
    address = path("2019-01").replace(".csv.gz", ".parquet")
    for version, count in (('"v1"', 10), ('"v2"', 7)):
        server.publish(address, Published(parquet(GREEN, rows(GREEN, count)), etag=version))
        assert [run.succeeded for run in sensor.run(sensor.tick())] == [True]
        assert sensor.platform.count("green_tripdata", "2019-01") == count
    assert sensor.tick() == []


def test_nothing_is_requested_if_every_published_month_is_loaded(sensor: Sensor, server: TripServer) -> None:
    for month in ("2019-01", "2019-02", "2019-03"):
        server.publish(path(month), file(10))
    sensor.platform.run("green_tripdata", months="2019-01...2019-02")
    sensor.platform.run("raw/green_tripdata", "green_tripdata", month="2019-03")
    assert sensor.tick() == []


def test_a_broken_file_is_loaded_once_and_its_correction_again(sensor: Sensor, server: TripServer) -> None:
    server.publish(path("2019-01"), Published(file(10)[:-20], etag='"broken"'))
    (run,) = sensor.run(sensor.tick())
    assert not run.succeeded
    assert sensor.tick() == []
    sensor.cursor = None
    assert sensor.tick() == []  # Dagster knows the run key even if the cursor is lost
    server.publish(path("2019-01"), Published(file(10), etag='"corrected"'))
    (run,) = sensor.run(sensor.tick())
    assert run.succeeded


def test_a_server_that_sends_retry_after_is_not_asked_again_before(sensor: Sensor, server: TripServer) -> None:
    for service in SERVICES:
        server.script(path("2019-03", service), Answer(status=429, headers={"Retry-After": "1800"}))
        server.script(path("2019-02", service), Answer(status=429, headers={"Retry-After": "1800"}))
    sensor.tick()
    asked = len(server.requests)
    assert asked <= 4
    sensor.tick()
    assert sensor.summary.startswith("The source asks for a pause until ")
    assert len(server.requests) == asked


def test_a_month_that_a_waiting_backfill_will_load_is_not_requested(sensor: Sensor, server: TripServer) -> None:
    for month in ("2019-01", "2019-02", "2019-03"):
        server.publish(path(month), file(10))
    dagster_private.request_backfill(
        sensor.platform.instance,
        sensor.platform.definitions().get_repository_def().asset_graph,
        dg.AssetKey("green_tripdata"),
        ["2019-01", "2019-02"],
        title="a backfill that the daemon has not seen yet",
        tags={},
        run_config={},
    )
    assert files_of(sensor.tick()) == ["green_tripdata_2019-03.csv"]


def test_a_month_that_was_not_published_when_it_was_due_is_checked_daily_until_it_is_loaded(
    sensor: Sensor, server: TripServer
) -> None:
    due = Sensor(sensor.platform, DUE)
    assert due.tick() == []
    assert (server.requests, due.summary) == ([], "No month is pending.")
    due.cursor = "2019-04-15T12:00:00+00:00"  # as if its first tick had been then, when February was due
    assert due.tick() == []
    assert {asked.path for asked in server.requests} == {path("2019-03", service) for service in SERVICES}
    assert len(server.requests) == len(SERVICES)
    assert "green_tripdata_2019-03.csv.gz answers 404" in due.summary
    server.publish(path("2019-03"), file(20))
    requests = due.tick()
    assert [request.tags["trigger"] for request in requests] == ["sensor:due_month_sensor"]
    assert [run.succeeded for run in due.run(requests)] == [True]
    assert sensor.platform.count("green_tripdata", "2019-03") == 20
    asked = len(server.requests)
    assert due.tick() == []
    assert path("2019-03") not in {request.path for request in server.requests[asked:]}


def test_the_months_of_a_service_whose_schedule_was_stopped_are_left_alone(sensor: Sensor, server: TripServer) -> None:
    server.publish(path("2019-03"), file(20))
    due = Sensor(sensor.platform, DUE)
    due.cursor = "2019-04-15T12:00:00+00:00"
    assert [request.job_name for request in due.tick()] == ["green_tripdata_job"]
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("taxi_platform"), "__repository__")
    schedule = RemoteInstigatorOrigin(repository, "green_monthly_schedule")
    since = ScheduleInstigatorData("0 9 1 * *")
    stopped = InstigatorState(schedule, InstigatorType.SCHEDULE, InstigatorStatus.STOPPED, since)
    sensor.platform.instance.add_instigator_state(stopped)
    assert due.tick() == []


def test_the_due_month_sensor_is_on_by_default(sensor: Sensor) -> None:
    definition = sensor.platform.definitions().resolve_sensor_def(DUE)
    assert definition.default_status is dg.DefaultSensorStatus.RUNNING
    assert definition.minimum_interval_seconds == 24 * 3600


def test_the_new_month_sensor_is_off_by_default(sensor: Sensor) -> None:
    assert sensor.platform.definitions().resolve_sensor_def(NAME).default_status is dg.DefaultSensorStatus.STOPPED
