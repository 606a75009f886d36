"""The clock passes the end of a month while the daemon runs."""

import datetime
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.clock import PRELUDE, Clock
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

SCHEDULE = "green_monthly_schedule"


def moment(text: str) -> datetime.datetime:
    """Return a time in UTC."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """Return a clock in the last minute of February 2019."""
    try:
        return Clock(tmp_path / "clock", moment("2019-02-28 23:59:30"))
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


def started_by_the_schedule(deployment: Deployment) -> list[tuple[str, str]]:
    """Return the months of the schedule's runs with their statuses, the newest first."""
    runs = deployment.instance.get_runs(dg.RunsFilter(tags={"dagster/schedule_name": SCHEDULE}))
    return [(run.tags["dagster/partition"], run.status.value) for run in runs]


def is_on(deployment: Deployment) -> bool:
    """Return whether the daemon knows the schedule, which is on from the start."""
    return SCHEDULE in {state.instigator_name for state in deployment.instance.all_instigator_state()}


def test_when_the_clock_passes_the_end_of_a_month_its_schedule_loads_the_month_that_is_due_once(
    server: TripServer, clock: Clock, database: str, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        server.publish(f"/green/green_tripdata_2019-0{number}.csv.gz", zipped(text(GREEN, rows(GREEN, 10 * number))))
    values = {"TAXI_SOURCE": server.template, "TAXI_POSTGRES_URL": database, "TAXI_LAST_MONTH": "2019-12"}
    values |= clock.environment()
    config = {section: {"enabled": False} for section in ("freshness", "run_monitoring", "run_retries")}
    config["auto_materialize"] = {"enabled": False, "use_sensors": False}
    with Deployment(tmp_path, database, config, PRELUDE, **values) as deployment:
        deployment.wait_until(lambda: is_on(deployment))
        clock.set(moment("2019-03-01 08:59:57"))
        assert started_by_the_schedule(deployment) == []
        january, february = ("2019-01", "SUCCESS"), ("2019-02", "SUCCESS")
        deployment.wait_until(lambda: started_by_the_schedule(deployment) == [january])
        clock.set(moment("2019-04-01 09:00:02"))
        deployment.wait_until(lambda: started_by_the_schedule(deployment) == [february, january])
    with psycopg.connect(database) as connection:
        loaded = connection.execute("select filename, count(*) from green_tripdata group by 1 order by 1").fetchall()
    assert loaded == [("green_tripdata_2019-01.csv", 10), ("green_tripdata_2019-02.csv", 20)]
