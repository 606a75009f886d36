"""``taxi backfill`` with a real daemon and code server: what it requests, follows, and leaves to them."""

import itertools
import re
import signal
import subprocess
import threading

import dagster as dg
import pytest

from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW, Service
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.shell import environment, require_activation, script
from taxi_platform_tests.support.trip_server import Answer, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped
from taxi_platform_tests.support.trips_database import TripsDatabase
from taxi_platform_tests.support.year import path

YEARS = itertools.count(2018, -1)  # backwards, because the stack's tests publish years from 2009 on at the same server


@pytest.fixture
def year(source: TripServer) -> int:
    """Publish 10, 20 … green and yellow trips for the first half of a year that no other test uses."""
    number = next(YEARS)
    for service in (GREEN, YELLOW):
        for month in Month(number, 1).through(Month(number, 6)):
            source.publish(path(service, month), zipped(text(service, rows(service, 10 * month.month))))
    return number


def started(
    deployment: Deployment, source: TripServer, trips: TripsDatabase, arguments: str
) -> "subprocess.Popen[str]":
    """Start ``taxi backfill`` on this deployment."""
    require_activation()
    home = {"DAGSTER_HOME": str(deployment.home)}
    settings = {"TAXI_SOURCE": source.template, "TAXI_POSTGRES_URL": trips.url, "TAXI_FIRST_MONTH": "2010-01"}
    return subprocess.Popen(
        script(f"exec taxi backfill {arguments}"),
        cwd=PROJECT,
        env={**environment(deployment.data, **settings), **home},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(process: "subprocess.Popen[str]", pattern: str) -> str:
    """Read the process's output up to a line that matches, and return it."""
    output = ""
    assert process.stdout
    while not re.search(pattern, output):
        line = process.stdout.readline()
        assert line, output
        output += line
    return output


def materializations(deployment: Deployment, service: Service, year: int) -> list[str]:
    records = deployment.instance.fetch_materializations(dg.AssetKey(service.table), limit=100).records
    return sorted(record.partition_key or "" for record in records if str(record.partition_key).startswith(str(year)))


def test_the_web_ui_shows_one_backfill_with_a_run_for_each_month_range_and_the_command_reports_its_end(
    deployment: Deployment, source: TripServer, trips: TripsDatabase, year: int
) -> None:
    assert deployment.wait_for(deployment.submit("green_tripdata", f"{year}-03")).is_success
    command = started(deployment, source, trips, f"green {year}-01..{year}-07")
    output, _ = command.communicate(timeout=180)
    assert command.returncode == 1, output
    assert "6 months to load; left out: 1 loaded already" in output
    assert "6 months: 5 loaded (180 rows), 1 failed" in output
    assert re.search(rf"green {year}-07 failed: green_tripdata_{year}-07\.csv.*404", output)
    assert materializations(deployment, GREEN, year) == [f"{year}-0{month}" for month in range(1, 7)]

    newest = deployment.instance.get_backfills()[0]
    assert newest.title == f"taxi backfill green {year}-01..{year}-02, {year}-04..{year}-07"
    deployment.wait_until(lambda: deployment.instance.get_backfill(newest.backfill_id).status.value != "REQUESTED")  # pyright: ignore
    runs = deployment.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": newest.backfill_id}))
    labels = sorted((run.tags["file"], run.tags["taxi"], run.tags["backfill"], run.tags["trigger"]) for run in runs)
    assert labels == [
        (f"green_tripdata_{year}-{first}.csv...green_tripdata_{year}-{last}.csv", "green", "true", "backfill")
        for first, last in (("01", "02"), ("04", "07"))
    ]


def test_the_daemon_continues_without_the_command_and_the_same_command_follows_the_rest(
    deployment: Deployment, source: TripServer, trips: TripsDatabase, year: int
) -> None:
    go_on = threading.Event()
    source.script(path(YELLOW, Month(year, 3)), Answer(until=go_on))
    first = started(deployment, source, trips, f"yellow {year}-01..{year}-04")
    output = until(first, rf"{year}-02 .* rows")
    first.send_signal(signal.SIGINT)
    output += first.communicate(timeout=180)[0]
    assert first.returncode == 130
    assert "The daemon goes on without this window." in output

    second = started(deployment, source, trips, f"yellow {year}-01..{year}-04")
    output = until(second, r"Waiting for 4 months in progress, too\.")
    assert "0 months to load; left out: 4 in progress (run " in output
    go_on.set()
    output = second.communicate(timeout=180)[0]
    assert second.returncode == 0, output
    assert "4 months: 4 loaded (100 rows)" in output
    titles = [backfill.title for backfill in deployment.instance.get_backfills()]
    assert titles.count(f"taxi backfill yellow {year}-01..{year}-04") == 1
    assert materializations(deployment, YELLOW, year) == [f"{year}-0{month}" for month in range(1, 5)]
    assert [trips.count(f"yellow_tripdata_{year}-0{month}.csv") for month in range(1, 5)] == [10, 20, 30, 40]
