"""Triggers through a real daemon: a month at the source, a dropped file, a file that comes alone; all end as rows."""

import os
from collections import Counter

import dagster as dg

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, YELLOW, Service
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped
from taxi_platform_tests.support.trips_database import TripsDatabase
from taxi_platform_tests.support.year import path

# The newest months, which the sensor requests at its first tick.
NEW, DROPPED, ALONE = "green_tripdata_2021-07.csv", "yellow_tripdata_2021-06.csv", "fhv_tripdata_2021-05.csv"


def file(service: Service, count: int) -> bytes:
    return zipped(text(service, rows(service, count)))


def has_ticked(instance: dg.DagsterInstance, sensor: str) -> bool:
    """Return whether a sensor has finished a tick and stored its cursor."""
    states = [state for state in instance.all_instigator_state() if state.instigator_name == sensor]
    return any(getattr(state.instigator_data, "cursor", None) for state in states)


def test_published_and_dropped_files_and_raw_files_without_their_table_are_loaded_once_by_the_daemon(
    deployment: Deployment, source: TripServer, trips: TripsDatabase
) -> None:
    source.publish(path(GREEN, Month(2021, 7)), file(GREEN, 10))
    landing = deployment.data / "landing"
    landing.mkdir(exist_ok=True)
    (landing / f"{DROPPED}.gz").write_bytes(file(YELLOW, 20))
    os.utime(landing / f"{DROPPED}.gz", (0, 0))
    deployment.start_sensor("new_month_sensor")
    for sensor in ("follow_upstream_sensor", "new_month_sensor"):
        deployment.wait_until(lambda sensor=sensor: has_ticked(deployment.instance, sensor))
    # Published only now, because the sensor of new months would load it too.
    source.publish(path(FHV, Month(2021, 5)), file(FHV, 30))
    deployment.submit("raw/fhv_tripdata", "2021-05")
    deployment.wait_until(lambda: [trips.count(name) for name in (NEW, DROPPED, ALONE)] == [10, 20, 30])
    deployment.wait_until((landing / "done" / f"{DROPPED}.gz").exists)

    def runs() -> list[dg.DagsterRun]:
        return [run for run in deployment.instance.get_runs() if run.tags.get("file") in (NEW, DROPPED, ALONE)]

    deployment.wait_until(lambda: all(run.is_finished for run in runs()))
    assert {run.status for run in runs()} == {dg.DagsterRunStatus.SUCCESS}
    assert Counter((run.tags["trigger"], run.tags["file"]) for run in runs()) == {
        ("sensor:new_month_sensor", NEW): 1,
        ("sensor:landing_sensor", DROPPED): 1,
        ("manual", ALONE): 1,
        ("sensor:follow_upstream_sensor", ALONE): 1,
    }
