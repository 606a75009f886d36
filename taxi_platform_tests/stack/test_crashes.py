"""Runs whose process, code server or command is killed or hangs: found, failed, retried once, never doubled."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._daemon.auto_run_reexecution import event_log_consumer

from taxi_platform.settings import PROJECT
from taxi_platform.sources.sample import SampleSource
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN
from taxi_platform_tests.support.daemon_runs import Deployment
from taxi_platform_tests.support.shell import environment
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped
from taxi_platform_tests.support.trips_database import TripsDatabase
from taxi_platform_tests.support.year import path

SUCCESS, FAILURE, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


@pytest.fixture(scope="module", autouse=True)
def published(source: TripServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Publish ten trips a month, and in one month so many that its COPY can be observed."""
    large, sample = tmp_path_factory.mktemp("large") / "month.csv.gz", SampleSource(0.3)
    sample.fetch(sample.trips(GREEN, Month(2019, 3)), large)
    source.publish(path(GREEN, Month(2019, 3)), large.read_bytes())
    for month in Month(2019, 4).through(Month(2019, 10)):
        source.publish(path(GREEN, month), zipped(text(GREEN, rows(GREEN, 10))))
    source.publish(path(FHV, Month(2019, 3)), zipped(text(FHV, rows(FHV, 10))))


def wait_for_message(deployment: Deployment, run_id: str, text: str) -> None:
    deployment.wait_until(lambda: text in deployment.messages(run_id))


def retried(deployment: Deployment, run_id: str) -> dg.DagsterRun:
    """Wait for the only retry of a crashed run, and return it."""
    deployment.wait_until(lambda: deployment.retries(run_id))
    (retry,) = deployment.retries(run_id)
    return deployment.wait_for(retry.run_id)


def left(deployment: Deployment, trips: TripsDatabase) -> list[object]:
    """Return what must be empty at the end: unfinished runs, claimed slots of pools, heartbeats."""
    in_progress = deployment.instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES))
    slots = trips.ask("select * from concurrency_slots where run_id is not null")
    return [*in_progress, *slots, *trips.ask("select * from kvs where key like '%sign_of_life%'")]


def test_a_process_killed_during_its_copy_fails_its_run_and_one_retry_loads_the_month(
    deployment: Deployment, trips: TripsDatabase
) -> None:
    run_id = deployment.submit("green_tripdata", "2019-03")
    deployment.wait_until(trips.copies)
    deployment.worker(run_id).kill()
    assert deployment.wait_for(run_id).status == FAILURE
    assert retried(deployment, run_id).status == SUCCESS
    assert trips.is_exact("2019-03")
    of_the_month = dg.AssetRecordsFilter(dg.AssetKey("green_tripdata"), asset_partitions=["2019-03"])
    made = deployment.instance.fetch_materializations(of_the_month, limit=10).records
    assert [record.run_id for record in made] == [deployment.retries(run_id)[0].run_id]
    assert left(deployment, trips) == []


def test_a_retry_that_the_daemon_announced_and_lost_is_started_after_all(
    deployment: Deployment, trips: TripsDatabase
) -> None:
    with trips.held("2019-10"):
        run_id = deployment.submit("green_tripdata", "2019-10")
        wait_for_message(deployment, run_id, "another process is loading this month")
        deployment.kill("daemon")
        deployment.worker(run_id).kill()
        deployment.wait_until(lambda: deployment.run(run_id).is_complete_and_waiting_to_retry)
    lost = deployment.instance.event_log_storage.get_maximum_record_id()
    cursor = event_log_consumer._create_cursor_key(dg.DagsterEventType.RUN_FAILURE)  # pyright: ignore[reportPrivateUsage]
    assert int(deployment.instance.daemon_cursor_storage.get_cursor_values({cursor})[cursor]) < (lost or 0)
    deployment.instance.daemon_cursor_storage.set_cursor_values({cursor: str(lost)})
    deployment.start_daemon()
    assert retried(deployment, run_id).status == SUCCESS
    assert trips.is_exact("2019-10")


def test_a_code_server_that_dies_with_its_processes_leaves_runs_that_are_found_and_retried(
    deployment: Deployment, trips: TripsDatabase
) -> None:
    with trips.held("2019-04"):
        run_id = deployment.submit("green_tripdata", "2019-04")
        wait_for_message(deployment, run_id, "another process is loading this month")
        worker = deployment.worker(run_id)
        deployment.kill("code server")
        worker.kill()
        deployment.start_code_server()
        assert deployment.wait_for(run_id).status == FAILURE
    assert f"process {worker.pid} on " in deployment.messages(run_id)
    assert "has written no heartbeat for " in deployment.messages(run_id)
    assert retried(deployment, run_id).status == SUCCESS
    assert trips.is_exact("2019-04")
    assert left(deployment, trips) == []


def test_without_their_code_server_one_process_ends_its_run_another_terminates_itself_and_neither_is_retried(
    deployment: Deployment, trips: TripsDatabase
) -> None:
    with trips.held("2019-05"), trips.held("2019-06"):
        kept, unwanted = (deployment.submit("green_tripdata", month) for month in ("2019-05", "2019-06"))
        for run_id in (kept, unwanted):
            wait_for_message(deployment, run_id, "another process is loading this month")
        worker = deployment.worker(unwanted)
        deployment.kill("code server")
        with pytest.raises(DagsterUserCodeUnreachableError):
            deployment.instance.run_launcher.terminate(unwanted)
        assert deployment.wait_for(unwanted).status == CANCELED
        psutil.wait_procs([worker], timeout=20)
        assert not worker.is_running()
        time.sleep(5)  # longer than the timeout of a crashed process
        deployment.start_code_server()
    assert deployment.wait_for(kept).status == SUCCESS
    assert deployment.retries(kept) == deployment.retries(unwanted) == []
    assert trips.is_exact("2019-05")
    assert trips.ask("select * from tripdata_files where filename like '%2019-06%'") == []


def test_a_run_that_a_person_terminates_is_not_retried(deployment: Deployment, trips: TripsDatabase) -> None:
    with trips.held("2019-07"):
        run_id = deployment.submit("green_tripdata", "2019-07")
        wait_for_message(deployment, run_id, "another process is loading this month")
        assert deployment.instance.run_launcher.terminate(run_id)
        assert deployment.wait_for(run_id).status == CANCELED
    time.sleep(3)  # the daemon checks for runs to retry every second
    assert deployment.retries(run_id) == []
    assert left(deployment, trips) == []


def test_a_run_whose_step_failed_is_not_retried_as_a_whole(deployment: Deployment, trips: TripsDatabase) -> None:
    trips.ask("create table fhv_tripdata (of_another integer)")
    run_id = deployment.submit("fhv_tripdata", "2019-03")
    assert deployment.wait_for(run_id).status == FAILURE
    wait_for_message(deployment, run_id, "Not retrying run since it failed due to an asset or op failure")
    assert deployment.retries(run_id) == []
    trips.ask("drop table fhv_tripdata")


def test_a_process_that_hung_until_its_run_was_retried_stops_when_it_wakes(
    deployment: Deployment, trips: TripsDatabase
) -> None:
    with trips.held("2019-08"):
        run_id = deployment.submit("green_tripdata", "2019-08")
        wait_for_message(deployment, run_id, "another process is loading this month")
        hanging = deployment.worker(run_id)
        hanging.send_signal(signal.SIGSTOP)
        assert deployment.wait_for(run_id).status == FAILURE
        deployment.wait_until(lambda: deployment.retries(run_id))
        hanging.send_signal(signal.SIGCONT)
        psutil.wait_procs([hanging], timeout=30)
        assert not hanging.is_running()
    assert deployment.run(run_id).status == FAILURE
    assert retried(deployment, run_id).status == SUCCESS
    assert trips.is_exact("2019-08")


def test_a_command_that_is_killed_leaves_no_run_in_progress(
    deployment: Deployment, source: TripServer, trips: TripsDatabase, tmp_path: Path
) -> None:
    values = {"TAXI_SOURCE": source.template, "TAXI_POSTGRES_URL": trips.url}
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "taxi_platform.definitions"]
    home = {"DAGSTER_HOME": str(deployment.home), "PYTHONPATH": str(deployment.prelude())}
    with trips.held("2019-09"):
        process = subprocess.Popen(
            [*command, "--select", "green_tripdata", "--partition", "2019-09"],
            cwd=PROJECT,
            env={**environment(tmp_path, **values), **home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        mine = dg.RunsFilter(tags={"dagster/partition": "2019-09"}, statuses=[dg.DagsterRunStatus.STARTED])
        deployment.wait_until(lambda: deployment.instance.get_runs(mine))
        (run,) = deployment.instance.get_runs(mine)
        wait_for_message(deployment, run.run_id, "another process is loading this month")
        process.kill()
        process.wait()
    assert deployment.wait_for(run.run_id).status == FAILURE
    assert left(deployment, trips) == []
