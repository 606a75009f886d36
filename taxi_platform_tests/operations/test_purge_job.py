"""The job that removes raw files: never one that is not loaded; a removed one is fetched again when it is needed."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from taxi_platform.bigquery.lake import Lake
from taxi_platform.definitions import defs
from taxi_platform.errors import CloudNotReady
from taxi_platform.ledger.loaded import BEING_LOADED, NOT_LOADED
from taxi_platform.sources.cache import read_sidecar, write_sidecar
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service
from taxi_platform_tests.support.asset_runs import Platform

DAY = 86_400


def aged(folder: Path, days: float) -> None:
    """Date every raw file back by some days."""
    for path in folder.glob("raw/*/*.csv.gz"):
        file = read_sidecar(path)
        assert file
        os.utime(path, (time.time() - days * DAY,) * 2)
        write_sidecar(file)


def raw_months(folder: Path) -> list[str]:
    return sorted(path.name[-14:-7] for path in folder.glob("raw/green/*.csv.gz"))


def purge(platform: Platform, *, dry_run: bool = False) -> dict[str, Any]:
    job = defs().resolve_job_def("raw_purge_job")
    config = {"ops": {"remove_raw_files": {"config": {"dry_run": dry_run}}}}
    result = job.execute_in_process(instance=platform.instance, run_config=config, raise_on_error=False)
    if not result.success:
        return {"failed": str(result.get_step_failure_events()[0].step_failure_data.error)}
    (out,) = (event for event in result.all_node_events if event.event_type_value == "STEP_OUTPUT")
    messages = [entry.user_message for entry in platform.instance.all_logs(result.run_id)]
    return {**{name: value.value for name, value in out.step_output_data.metadata.items()}, "messages": messages}


@pytest.fixture
def raw(platform: Platform, tmp_path: Path) -> Path:
    """Create old raw files of January to March, and load January and February."""
    platform.use(TAXI_KEEP_RAW_DAYS="30", TAXI_KEEP_RAW_GB="")
    platform.run("green_tripdata", months="2019-01...2019-02")
    platform.run("raw/green_tripdata", month="2019-03")
    aged(tmp_path, 31)
    return tmp_path


def test_only_loaded_files_are_removed_and_their_records_stay(platform: Platform, raw: Path) -> None:
    dry = purge(platform, dry_run=True)
    assert raw_months(raw) == ["2019-01", "2019-02", "2019-03"]
    done = purge(platform)
    assert raw_months(raw) == ["2019-03"]
    assert (done["files"], done["files_left"], done["kept"]) == (2, 1, {NOT_LOADED: 1})
    assert done["bytes"] == dry["bytes"] > 0
    assert platform.recorded("raw/green_tripdata") == {"2019-01", "2019-02", "2019-03"}
    before = platform.count("green_tripdata")

    again = platform.run("green_tripdata", month="2019-01")
    assert again.of("green_tripdata", "2019-01")["unchanged"] is True
    assert again.months("raw/green_tripdata") == ["2019-01"]
    assert raw_months(raw) == ["2019-01", "2019-03"]
    assert platform.count("green_tripdata") == before


def test_a_file_stays_if_its_month_is_not_in_the_table_or_is_being_loaded_or_this_is_not_known(
    platform: Platform, raw: Path
) -> None:
    record = "update tripdata_files set sha256 = %s where filename = 'green_tripdata_2019-01.csv' returning sha256"
    with psycopg.connect(platform.database, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('public.green_tripdata_2019_01', 0))")
        assert purge(platform, dry_run=True)["kept"] == {BEING_LOADED: 1, NOT_LOADED: 1}
        connection.execute("select pg_advisory_unlock_all()")
        before = connection.execute("select sha256 from tripdata_files order by filename").fetchone()
        connection.execute(record, ["of an older file"])
        assert purge(platform, dry_run=True)["kept"] == {NOT_LOADED: 2}
        connection.execute(record, before)
        assert purge(platform, dry_run=True)["kept"] == {NOT_LOADED: 1}
        connection.execute("truncate green_tripdata_2019_01")
    assert purge(platform)["kept"] == {NOT_LOADED: 2}
    assert raw_months(raw) == ["2019-01", "2019-03"]
    with psycopg.connect(platform.database) as connection:
        connection.execute("drop schema public cascade; create schema public")
    assert purge(platform)["kept"] == {NOT_LOADED: 2}
    platform.use(TAXI_KEEP_RAW_DAYS="")
    unset = "neither TAXI_KEEP_RAW_DAYS nor TAXI_KEEP_RAW_GB is set, so every raw file stays"
    assert unset in purge(platform)["messages"]
    nowhere = urlsplit(platform.database)._replace(path="/gone").geturl()
    platform.use(TAXI_KEEP_RAW_DAYS="30", TAXI_POSTGRES_URL=nowhere)
    assert "there is no such database" in purge(platform)["failed"]
    assert raw_months(raw) == ["2019-01", "2019-03"]


def test_the_schedule_is_on_if_a_setting_is_set(platform: Platform) -> None:
    for days, gigabytes, status in (("", "", "STOPPED"), ("30", "", "RUNNING"), ("", "0.5", "RUNNING")):
        platform.use(TAXI_KEEP_RAW_DAYS=days, TAXI_KEEP_RAW_GB=gigabytes)
        assert platform.definitions().resolve_schedule_def("raw_purge_schedule").default_status.value == status


# The lake


class OneObject(Lake):
    """A lake that holds one object, or none."""

    def __init__(self, stored: TripFile | None) -> None:
        self._stored = stored

    def find(self, service: Service, month: Month) -> TripFile:
        if self._stored is None:
            raise CloudNotReady("gs://bucket/object", "the lake does not have it")
        return self._stored


def test_the_lake_has_loaded_a_file_if_its_object_is_that_very_file(platform: Platform, tmp_path: Path) -> None:
    platform.run("raw/green_tripdata", month="2019-01")
    file = read_sidecar(tmp_path / "raw/green/green_tripdata_2019-01.csv.gz")
    assert file
    other = replace(file, facts=replace(file.facts, sha256="ab" * 32))
    assert OneObject(file).has(file)
    assert not OneObject(other).has(file)
    assert not OneObject(None).has(file)
