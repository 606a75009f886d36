"""Fixtures of this folder's tests: a running stack, a running daemon with its code server, and trips for both."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_platform.trips.services import GREEN, YELLOW
from taxi_platform_tests.support import users
from taxi_platform_tests.support.alert_receiver import AlertReceiver
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.databases import database_from
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trips_database import TripsDatabase
from taxi_platform_tests.support.year import Year

# The picture that test_backfills takes shows 2019, a year that readers know.
FIRST, LAST = ("2019-01", "2021-07") if os.environ.get("TAXI_SCREENSHOT") else ("2009-01", "2040-12")
PUBLISHED_AS = "dagster.example.com"  # the name of the stack's web server
# Waits of a minute and the intervals of sensors take seconds, as in the stack; longer ones are still longer.
QUICK = """
from taxi_platform.ledger import heartbeats
heartbeats.HEARTBEAT_SECONDS, heartbeats.TIMEOUT_SECONDS = 0.5, 4.0
from taxi_platform.orchestration import launcher
launcher.READY_SECONDS = 4.0
from datetime import timedelta
from taxi_platform.operations import lost_retries
lost_retries.WAIT = timedelta(seconds=5)
from dagster._core.remote_representation.external import RemoteSensor
_interval = RemoteSensor.min_interval_seconds.fget
RemoteSensor.min_interval_seconds = property(lambda sensor: 2 if _interval(sensor) == 30 else _interval(sensor))
"""


@pytest.fixture(scope="package")
def source() -> Iterator[TripServer]:
    """Yield the server from which the trips are fetched."""
    with TripServer() as server:
        yield server


@pytest.fixture(scope="package")
def stack(source: TripServer) -> Iterator[Stack]:
    """Start the services once for the tests of this folder, and end them afterwards, because they are never idle."""
    months = {"TAXI_FIRST_MONTH": FIRST, "TAXI_LAST_MONTH": LAST, "TAXI_ALLOWED_HOSTS": PUBLISHED_AS}
    variables = {"TAXI_SOURCE": source.template, **months, **users.variables()}
    profiles = ["auth"] if users.CAN_LOG_IN else []
    with Stack(*profiles, disks={"data": 64, "postgres": 800}, **variables) as stack:
        yield stack


@pytest.fixture(scope="package")
def years() -> Iterator[int]:
    """Return an iterator of years that no test uses yet."""
    return itertools.count(int(FIRST[:4]))


@pytest.fixture
def year(stack: Stack, source: TripServer, years: Iterator[int], tmp_path: Path) -> Year:
    """Publish seven months of green and yellow trips of a year that no other test uses."""
    return Year(stack, source, next(years), [GREEN, YELLOW], tmp_path, range(1, 8))


@pytest.fixture(scope="package")
def trips(postgres_url: str) -> Iterator[TripsDatabase]:
    """Yield the deployment's database, which holds its trips and its state."""
    with database_from(postgres_url, "template0") as url:
        yield TripsDatabase(url)


@pytest.fixture(scope="package")
def receiver() -> Iterator[AlertReceiver]:
    """Yield the server that receives the deployment's alerts."""
    with AlertReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def deployment(
    source: TripServer, trips: TripsDatabase, receiver: AlertReceiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Start a daemon that checks for crashed runs every second, and a code server; each test has its own months."""
    settings = {
        "TAXI_SOURCE": source.template,
        "TAXI_POSTGRES_URL": trips.url,
        "TAXI_FIRST_MONTH": "2010-01",
        "TAXI_ALERT_URLS": receiver.url,
        "TAXI_WEB_URL": "https://dagster.example/",
    }
    config = {"run_monitoring": {"poll_interval_seconds": 1}, "freshness": {"enabled": False}}
    with Deployment(tmp_path_factory.mktemp("deployment"), trips.url, config, QUICK, **settings) as running:
        running.wait_until(lambda: "BACKFILL" in running.instance.get_daemon_heartbeats())
        yield running
