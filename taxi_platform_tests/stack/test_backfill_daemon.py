"""``taxi backfill`` with a real daemon and code server: what it asks of them, watches, and leaves to them."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest

from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW, Service
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.databases import database_from
from taxi_platform_tests.support.haste import DAEMON
from taxi_platform_tests.support.shell import environment, require_activation, script
from taxi_platform_tests.support.trip_server import Answer, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped


class Gate(TripServer):
    """A server whose delays last until it is told to go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        super().__init__()

    def wait(self, seconds: float) -> None:
        """Be silent until the gate opens."""
        if seconds:
            self.go_on.wait(seconds)


@pytest.fixture(scope="module")
def source() -> Iterator[Gate]:
    """A server that has the first half of 2019, with 10, 20 … green and yellow trips."""
    with Gate() as source:
        for service in (GREEN, YELLOW):
            for month in Month(2019, 1).through(Month(2019, 6)):
                source.publish(path(service, month), zipped(text(service, rows(service, 10 * month.month))))
        yield source
        source.go_on.set()


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[str]:
    """The database of the deployment."""
    with database_from(postgres_url, "template0") as url:
        yield url


@pytest.fixture(scope="module")
def deployment(source: Gate, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A daemon that looks at backfills every two seconds, and a code server; its heartbeat is recorded already."""
    settings = {"TAXI_SOURCE": source.template, "TAXI_POSTGRES_URL": database}
    with Deployment(tmp_path_factory.mktemp("deployment"), database, prelude=DAEMON, **settings) as deployment:
        deployment.wait_until(lambda: "BACKFILL" in deployment.instance.get_daemon_heartbeats())
        yield deployment


def path(service: Service, month: Month) -> str:
    return f"/{service.name}/{service.table}_{month}.csv.gz"


def started(deployment: Deployment, source: Gate, database: str, arguments: str) -> "subprocess.Popen[str]":
    """``taxi backfill`` as a person types it on this deployment."""
    require_activation()
    home = {"DAGSTER_HOME": str(deployment.home)}
    settings = {"TAXI_SOURCE": source.template, "TAXI_POSTGRES_URL": database}
    return subprocess.Popen(
        script(f"exec taxi backfill {arguments}"),
        cwd=PROJECT,
        env={**environment(deployment.home.parent, **settings), **home},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(process: "subprocess.Popen[str]", pattern: str) -> str:
    """What the process says, until it says something."""
    said = ""
    assert process.stdout
    while not re.search(pattern, said):
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def materializations(deployment: Deployment, service: Service) -> list[str]:
    records = deployment.instance.fetch_materializations(dg.AssetKey(service.table), limit=100).records
    return sorted(record.partition_key or "" for record in records)


def test_it_is_one_backfill_of_the_web_ui_with_a_run_for_each_stretch_and_its_end_is_told(
    deployment: Deployment, source: Gate, database: str
) -> None:
    first = started(deployment, source, database, "green 2019-03")
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said
    both = started(deployment, source, database, "green 2019-01..2019-07 --newest-first --dry-run")
    assert "6 months to load; left out: 1 loaded already" in both.communicate(timeout=120)[0]

    second = started(deployment, source, database, "green 2019-01..2019-07")
    said, _ = second.communicate(timeout=180)
    assert second.returncode == 1, said
    assert "6 months: 5 loaded (180 rows), 1 failed" in said
    assert re.search(r"green 2019-07 failed: green_tripdata_2019-07\.csv.*404", said)
    assert materializations(deployment, GREEN) == [f"2019-0{month}" for month in range(1, 7)]

    newest, oldest = deployment.instance.get_backfills()
    assert oldest.title == "taxi backfill green 2019-03"
    assert newest.title == "taxi backfill green 2019-01..2019-02, 2019-04..2019-07"
    deployment.wait_until(lambda: deployment.instance.get_backfill(newest.backfill_id).status.value != "REQUESTED")  # pyright: ignore
    runs = deployment.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": newest.backfill_id}))
    labels = sorted((run.tags["file"], run.tags["taxi"], run.tags["backfill"], run.tags["trigger"]) for run in runs)
    assert labels == [
        (f"green_tripdata_{first}.csv...green_tripdata_{last}.csv", "green", "true", "backfill")
        for first, last in (("2019-01", "2019-02"), ("2019-04", "2019-07"))
    ]


def test_the_daemon_goes_on_without_the_command_and_the_same_command_watches_the_rest(
    deployment: Deployment, source: Gate, database: str
) -> None:
    source.script(path(YELLOW, Month(2019, 3)), Answer(delay=300))
    first = started(deployment, source, database, "yellow 2019-01..2019-04")
    said = until(first, r"2019-02 .* rows")
    first.send_signal(signal.SIGINT)
    said += first.communicate(timeout=180)[0]
    assert first.returncode == 130
    assert "The daemon goes on without this window." in said

    second = started(deployment, source, database, "yellow 2019-01..2019-04")
    said = until(second, r"Waiting for 4 months in progress, too\.")
    assert "0 months to load; left out: 4 in progress (run " in said
    second.kill()
    second.communicate()

    third = started(deployment, source, database, "yellow 2019-01..2019-04")
    until(third, r"Waiting for 4 months in progress, too\.")
    source.go_on.set()
    said = third.communicate(timeout=180)[0]
    assert third.returncode == 0, said
    assert "4 months: 4 loaded (100 rows)" in said
    titles = [backfill.title for backfill in deployment.instance.get_backfills()]
    assert titles.count("taxi backfill yellow 2019-01..2019-04") == 1
    assert materializations(deployment, YELLOW) == [f"2019-0{month}" for month in range(1, 5)]
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from yellow_tripdata").fetchone() == (100,)
