"""Loads that are killed, and loads at the same time: the table has the old file or the new one, exactly once."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import pytest
from dagster import DagsterExecutionInterruptedError
from google.api_core.exceptions import Forbidden

from taxi_platform import retries
from taxi_platform.bigquery.loader import LoadedIntoBigQuery
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.google_server import Answer
from taxi_platform_tests.support.job_server import JobServer
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

COUNT = "select filename, count(*), count(distinct unique_row_id) from `{}.green_tripdata` group by 1 order by 1"
NAME = "green_tripdata_2019-03.csv"


@pytest.fixture
def loaded(behind: WarehouseLoads, front: JobServer) -> WarehouseLoads:
    """Return a warehouse with ten rows of March, while the lake has twelve; the recorded requests are cleared."""
    behind.load(rows(GREEN, 10))
    behind.upload(rows(GREEN, 12))
    front.requests.clear()
    return behind


# Killed


def begin_to_load(behind: WarehouseLoads) -> "subprocess.Popen[str]":
    """Start a process that loads March from the lake."""
    cloud = behind.cloud
    arguments = (cloud.project, cloud.bucket, cloud.dataset, cloud.storage_host, cloud.bigquery_host)
    return subprocess.Popen(
        [sys.executable, "-c", LOADING, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


LOADING = """
import sys
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.loader import load_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
project, bucket, dataset, storage, bigquery = sys.argv[1:]
cloud = Cloud(project, "US", bucket, dataset, "", storage, bigquery, run="killed")
load_month(cloud, Lake(cloud).find(GREEN, Month(2019, 3)))
"""


@pytest.mark.parametrize(
    ("step", "begun", "new"),
    [
        ("load", True, False),
        ("replace", True, True),
        ("DELETE", False, True),  # of the staging table, at the end
    ],
)
def test_a_process_that_is_killed_leaves_the_old_month_or_the_new_one_and_the_next_load_does_the_rest(
    step: str, begun: bool, new: bool, front: JobServer, loaded: WarehouseLoads
) -> None:
    process = begin_to_load(loaded)
    killed = Answer(None if begun else 503, before=lambda: (process.kill(), process.wait()))
    front.script(step, killed)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == -9, out
    if begun:
        front.wait_for(step, 1)
        front.wait_for_end(step)  # the job outlives the process
    assert loaded.ask(COUNT) == [(NAME, 12, 12) if new else (NAME, 10, 10)]
    assert len(loaded.staging()) == 1
    assert loaded.load().unchanged is new
    assert loaded.ask(COUNT) == [(NAME, 12, 12)]
    staged = [asked.json for asked in front.asked("POST") if b"_staging_" in asked.body]
    assert all("expirationTime" in one for one in staged)


def test_a_job_that_outlives_its_process_does_no_harm_to_the_load_that_follows(
    front: JobServer, loaded: WarehouseLoads
) -> None:
    process = begin_to_load(loaded)
    goes_on, ended = threading.Event(), threading.Event()
    front.script("replace", Answer(during=lambda: (process.kill(), process.wait(), goes_on.wait(60), ended.set())))
    out, _ = process.communicate(timeout=120)
    assert process.returncode == -9, out
    assert loaded.load().rows == 12
    goes_on.set()
    assert ended.wait(60)
    first, second = front.ids("replace")
    assert first != second
    assert loaded.ask(COUNT) == [(NAME, 12, 12)]


# Two loads at once


def run_overlapping(
    front: JobServer, first: Callable[[], LoadedIntoBigQuery], second: Callable[[], LoadedIntoBigQuery]
) -> tuple[LoadedIntoBigQuery, LoadedIntoBigQuery]:
    """Run the second load while the first one replaces the month, and return both results."""
    goes_on = threading.Event()
    front.script("replace", Answer(during=lambda: goes_on.wait(60)))
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(first)
        front.wait_for("replace", 1)
        quick = pool.submit(second).result()
        goes_on.set()
        return slow.result(), quick


def another(loads: WarehouseLoads) -> WarehouseLoads:
    """Return the same warehouse with new clients, as in another process."""
    return WarehouseLoads(replace(loads.cloud), loads.published)


def test_a_month_that_is_loaded_twice_at_once_is_in_the_table_once(front: JobServer, behind: WarehouseLoads) -> None:
    behind.load(rows(GREEN, 10))
    front.requests.clear()
    file = behind.upload(rows(GREEN, 12))
    loads = (lambda: behind.load_file(file), lambda: another(behind).load_file(file))
    assert [loaded.rows for loaded in run_overlapping(front, *loads)] == [12, 12]
    first, second = front.ids("replace")
    assert first != second
    assert behind.ask(COUNT) == [(NAME, 12, 12)]
    assert behind.staging() == set()


def test_of_two_files_of_a_month_at_once_the_later_job_wins_and_the_next_load_notices(
    front: JobServer, behind: WarehouseLoads
) -> None:
    old = behind.upload(rows(GREEN, 12))

    def corrected() -> LoadedIntoBigQuery:
        return another(behind).load(rows(GREEN, 7))

    run_overlapping(front, lambda: behind.load_file(old), corrected)
    assert behind.ask(COUNT) == [(NAME, 12, 12)]
    assert not behind.load().unchanged
    assert behind.ask(COUNT) == [(NAME, 7, 7)]


def test_two_months_at_once_do_not_touch_each_other(front: JobServer, behind: WarehouseLoads) -> None:
    months = {MARCH: behind.upload(rows(GREEN, 12)), APRIL: behind.upload(rows(GREEN, 7), month=APRIL)}

    def load(month: Month) -> LoadedIntoBigQuery:
        return another(behind).load_file(months[month])

    run_overlapping(front, lambda: load(MARCH), lambda: load(APRIL))
    assert len(set(front.ids("replace"))) == 2
    assert behind.ask(COUNT) == [(NAME, 12, 12), ("green_tripdata_2019-04.csv", 7, 7)]


def test_the_rejects_of_a_month_that_is_loaded_twice_at_once_are_stored_once(
    front: JobServer, behind: WarehouseLoads
) -> None:
    file = behind.upload([*rows(GREEN, 5), "no trip"])
    loads = [lambda one=one: one.load_file(file, max_bad_rows=1) for one in (behind, another(behind))]
    run_overlapping(front, *loads)
    assert behind.ask(COUNT) == [(NAME, 5, 5)]
    assert behind.one("select count(*) from `{}.green_tripdata_rejects`") == 1


# Two accounts that may not see each other's jobs


def of_account(loads: WarehouseLoads, name: str) -> WarehouseLoads:
    """Return the same warehouse with clients that use another account."""
    other = another(loads)
    other.cloud.bigquery._http.headers["Authorization"] = f"Bearer {name}"
    return other


def test_two_accounts_load_the_same_month_one_after_the_other_and_at_once(
    front: JobServer, behind: WarehouseLoads
) -> None:
    ann, robot = of_account(behind, "ann"), of_account(behind, "robot")
    file = ann.upload(rows(GREEN, 12))
    assert ann.load_file(file).rows == 12
    ann.cloud.bigquery.delete_table(f"{ann.cloud.dataset}.green_tripdata")
    assert robot.load_file(file).rows == 12  # from the very same state
    assert ann.load_file(file, force=True).rows == 12
    assert robot.load_file(file, force=True).rows == 12
    front.requests.clear()
    run_overlapping(front, lambda: ann.load_file(file, force=True), lambda: robot.load_file(file, force=True))
    assert robot.ask(COUNT) == [(NAME, 12, 12)]


@pytest.mark.parametrize("of", ["ann", "robot"])
def test_a_job_is_seen_by_its_own_account_only(of: str, front: JobServer, behind: WarehouseLoads) -> None:
    behind = of_account(behind, "ann")
    behind.load(rows(GREEN, 3))
    get_job = of_account(behind, of).cloud.bigquery.get_job
    with nullcontext() if of == "ann" else pytest.raises(Forbidden, match=r"bigquery\.jobs\.get"):
        assert get_job(front.ids("load")[0], retry=None).state == "DONE"


# Runs that are terminated


def test_a_run_that_is_terminated_cancels_its_job(
    front: JobServer, loaded: WarehouseLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(_: float) -> None:
        raise DagsterExecutionInterruptedError

    monkeypatch.setattr(retries, "sleep", terminated)
    front.script("replace", Answer(looks=1000))
    with pytest.raises(DagsterExecutionInterruptedError):
        loaded.load()
    assert front.canceled() == front.ids("replace")
    assert loaded.staging() == set()
