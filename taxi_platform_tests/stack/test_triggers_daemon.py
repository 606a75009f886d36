"""Triggers through a real daemon: a month at the source, a dropped file, a file that comes alone; all end as rows."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dagster as dg
import psycopg

from taxi_platform.settings import PROJECT
from taxi_platform.trips.services import FHV, GREEN, YELLOW, Service
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.shell import environment
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

DROPPED = "yellow_tripdata_2019-02.csv.gz"


def file(service: Service, count: int) -> bytes:
    return zipped(text(service, rows(service, count)))


def count(database: str, service: Service) -> int:
    """The rows of a service's table, none where there is no table yet."""
    with psycopg.connect(database) as connection:
        found = connection.execute("select to_regclass(%s)", [service.table]).fetchone()
        if found == (None,):
            return 0
        counted = connection.execute(f"select count(*) from {service.table}".encode()).fetchone()
        return counted[0] if counted else 0


def has_looked(instance: dg.DagsterInstance, sensor: str) -> bool:
    """Whether a sensor has come to the end of a look and remembers it."""
    states = [state for state in instance.all_instigator_state() if state.instigator_name == sensor]
    return any(getattr(state.instigator_data, "cursor", None) for state in states)


def switch_on(deployment: Deployment, folder: Path, sensor: str, state: str) -> None:
    """Start a sensor by the command that the documentation names."""
    subprocess.run(
        [sys.executable, "-m", "dagster", "sensor", "start", "-w", str(folder / "workspace.yaml"), sensor],
        cwd=PROJECT,
        env={**environment(folder, TAXI_POSTGRES_URL=state), "DAGSTER_HOME": str(deployment.home)},
        check=True,
        timeout=120,
    )


def test_what_appears_is_dropped_or_comes_alone_is_loaded_by_the_daemon_and_nothing_twice(
    server: TripServer, database: str, tmp_path: Path
) -> None:
    server.publish("/green/green_tripdata_2019-01.csv.gz", file(GREEN, 10))
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / DROPPED).write_bytes(file(YELLOW, 20))
    os.utime(landing / DROPPED, (0, 0))
    settings = {"TAXI_SOURCE": server.template, "TAXI_LAST_MONTH": "2019-03", "TAXI_POSTGRES_URL": database}
    with Deployment(tmp_path, database, **settings) as deployment:
        switch_on(deployment, tmp_path, "new_month_sensor", database)
        deployment.wait_until(lambda: has_looked(deployment.instance, "new_month_sensor"))
        deployment.wait_until(lambda: count(database, GREEN) == 10)
        deployment.wait_until(lambda: count(database, YELLOW) == 20)
        deployment.wait_until(lambda: has_looked(deployment.instance, "follow_upstream_sensor"))
        server.publish("/fhv/fhv_tripdata_2019-03.csv.gz", file(FHV, 30))
        deployment.submit("raw/fhv_tripdata", "2019-03")
        deployment.wait_until(lambda: count(database, FHV) == 30)
        deployment.wait_until((landing / "done" / DROPPED).exists)
        deployment.wait_until(lambda: all(run.is_finished for run in deployment.instance.get_runs()))
        runs = deployment.instance.get_runs()
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert Counter((run.tags["trigger"], run.tags["file"]) for run in runs) == {
        ("sensor:new_month_sensor", "green_tripdata_2019-01.csv"): 1,
        ("sensor:landing_sensor", "yellow_tripdata_2019-02.csv"): 1,
        ("manual", "fhv_tripdata_2019-03.csv"): 1,
        ("sensor:follow_upstream_sensor", "fhv_tripdata_2019-03.csv"): 1,
    }
