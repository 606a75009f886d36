"""Automation conditions, with real runs: a table is requested after its raw file was fetched alone, and only then."""

import dagster as dg
import pytest

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

TABLE = dg.AssetKey("green_tripdata")


class Automation:
    """The automation conditions of all assets; each evaluation continues from the cursor of the one before."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.cursor: dg.AssetDaemonCursor | None = None

    def requested(self) -> dict[str, list[str]]:
        """Return the partitions that an evaluation requests, by asset."""
        result = dg.evaluate_automation_conditions(
            self.platform.definitions(), self.platform.instance, cursor=self.cursor
        )
        self.cursor = result.cursor
        return {
            each.key.to_user_string(): sorted(each.true_subset.expensively_compute_partition_keys())
            for each in result.results
            if each.true_subset.size
        }


@pytest.fixture
def automation(server: TripServer, platform: Platform) -> Automation:
    """Return the conditions of a platform whose source has 2019-01 to 2019-06, evaluated once."""
    for month in Month(2019, 1).through(Month(2019, 6)):
        server.publish(f"/green/green_tripdata_{month}.csv.gz", zipped(text(GREEN, rows(GREEN, 10 * month.month))))
    platform.use(TAXI_SOURCE=server.template)
    automation = Automation(platform)
    assert automation.requested() == {}
    return automation


def test_a_file_that_is_fetched_alone_is_followed_by_its_table_once(automation: Automation) -> None:
    automation.platform.run("raw/green_tripdata", month="2019-03")
    assert automation.requested() == {"green_tripdata": ["2019-03"]}
    assert automation.requested() == {}


def test_a_range_of_files_is_followed_by_their_months_and_no_others(automation: Automation) -> None:
    automation.platform.run("raw/green_tripdata", months="2019-02...2019-05")
    assert automation.requested() == {"green_tripdata": ["2019-02", "2019-03", "2019-04", "2019-05"]}
    automation.platform.run("green_tripdata", months="2019-02...2019-05")
    assert automation.requested() == {}


def test_what_a_run_loads_together_is_not_loaded_again(automation: Automation) -> None:
    automation.platform.run("raw/green_tripdata", "green_tripdata", months="2019-01...2019-02")
    automation.platform.run("green_tripdata", months="2019-03...2019-04")
    assert automation.platform.recorded("raw/green_tripdata") == {"2019-01", "2019-02", "2019-03", "2019-04"}
    assert automation.requested() == {}


def test_a_failed_load_is_not_tried_again_because_of_its_file(automation: Automation, server: TripServer) -> None:
    bad = text(GREEN, [*rows(GREEN, 5), "bad row"])
    server.publish("/green/green_tripdata_2019-01.csv.gz", zipped(bad))
    run = automation.platform.run("raw/green_tripdata", "green_tripdata", month="2019-01")
    assert not run.succeeded
    assert automation.platform.recorded("raw/green_tripdata") == {"2019-01"}
    assert automation.requested() == {}


def test_files_from_before_the_first_evaluation_start_nothing(platform: Platform) -> None:
    platform.run("raw/green_tripdata", months="2019-01...2019-02")
    automation = Automation(platform)
    assert automation.requested() == {}
    assert automation.requested() == {}


def test_a_running_load_is_waited_for(automation: Automation) -> None:
    platform = automation.platform
    job = platform.definitions().resolve_implicit_global_asset_job_def().get_subset(asset_selection={TABLE})
    in_progress = platform.instance.create_run_for_job(
        job,
        asset_selection=frozenset({TABLE}),
        tags={"dagster/partition": "2019-01"},
        status=dg.DagsterRunStatus.STARTED,
    )
    platform.run("raw/green_tripdata", month="2019-01")
    assert automation.requested() == {}
    platform.instance.report_run_failed(in_progress)
    assert automation.requested() == {"green_tripdata": ["2019-01"]}


def test_the_lake_follows_only_where_the_cloud_is_configured(platform: Platform) -> None:
    def conditions() -> set[str]:
        specs = platform.definitions().resolve_all_asset_specs()
        return {spec.key.to_user_string() for spec in specs if spec.automation_condition}

    tables = {"green_tripdata", "yellow_tripdata", "fhv_tripdata", "fhvhv_tripdata"}
    assert conditions() == tables
    names = {"GCP_PROJECT_ID": "project-1", "GCP_LOCATION": "EU", "GCP_BUCKET_NAME": "bucket", "GCP_DATASET": "trips"}
    platform.use(**names)
    assert conditions() >= tables | {f"gcs/{table}" for table in tables}


def test_the_sensor_that_evaluates_them_is_on_by_default(platform: Platform) -> None:
    sensor = platform.definitions().resolve_sensor_def("follow_upstream_sensor")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
