"""The assets of the lake and the set-up job as Dagster runs them: what they upload, record, refuse and pass on."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from taxi_platform.bigquery.clients import cloud_of
from taxi_platform.bigquery.lake import Lake, LakeFiles
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.google_server import GoogleServer
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.shell import typed
from taxi_platform_tests.support.trip_texts import rows

BUCKET = "trips-123-lake"
LAKE = "gcs/green_tripdata"
JANUARY, FEBRUARY, MARCH = Month(2019, 1), Month(2019, 2), Month(2019, 3)
SETTINGS = {
    "GCP_PROJECT_ID": "trips-123",
    "GCP_LOCATION": "EU",
    "GCP_BUCKET_NAME": BUCKET,
    "GCP_DATASET": "zoomcamp",
}


def name(month: Month) -> str:
    return f"raw/green/green_tripdata_{month}.csv.gz"


def uploads(google: GoogleServer) -> list[str]:
    return [
        asked.body.partition(b'"name": "')[2].partition(b'"')[0].decode() for asked in google.asked("POST /upload/")
    ]


@pytest.fixture
def lake(google: GoogleServer, published: Published, platform: Platform, tmp_path: Path) -> Platform:
    """Set up the platform with the simulated Google and a source that has the first months of 2019."""
    for month in (JANUARY, FEBRUARY, MARCH):
        published.publish(rows(GREEN, 10 * month.month), month=month)
    platform.use(
        TAXI_SOURCE=str(tmp_path / "published"),
        STORAGE_EMULATOR_HOST=google.url,
        BIGQUERY_EMULATOR_HOST=google.url,
        **SETTINGS,
    )
    return platform


# What is uploaded and recorded


def test_a_month_of_every_service_is_fetched_uploaded_and_recorded_for_both_assets(
    google: GoogleServer, lake: Platform
) -> None:
    lake.use(TAXI_SOURCE="sample:0.0001")
    run = lake.run(*(f"gcs/{service.table}" for service in SERVICES.values()), month="2019-03")
    assert run.succeeded, run.failure
    for service in SERVICES.values():
        assert lake.recorded(f"gcs/{service.table}") == lake.recorded(f"raw/{service.table}") == {"2019-03"}
    objects = {f"raw/{service.name}/{service.table}_2019-03.csv.gz" for service in SERVICES.values()}
    assert set(uploads(google)) == objects


def test_the_command_line_uploads_a_month(
    google: GoogleServer, published: Published, state_database: str, tmp_path: Path
) -> None:
    published.publish(rows(GREEN, 30), month=MARCH)
    there = {"STORAGE_EMULATOR_HOST": google.url, "BIGQUERY_EMULATOR_HOST": google.url, **SETTINGS}
    command = "dagster asset materialize --select gcs/green_tripdata --partition 2019-03"
    place = {"TAXI_SOURCE": str(published.folder), "TAXI_POSTGRES_URL": state_database}
    done = typed(command, tmp_path, **place, **there)
    assert done.returncode == 0, done.stdout
    assert uploads(google) == [name(MARCH)]


def test_the_metadata_of_an_upload_links_to_the_object(google: GoogleServer, lake: Platform) -> None:
    metadata = lake.run(LAKE, month="2019-03").of(LAKE, "2019-03")
    there = google.objects[BUCKET, name(MARCH)]
    assert metadata.pop("seconds") > 0
    assert len(metadata.pop("sha256")) == 64
    assert metadata.pop("source").endswith("published/green_tripdata_2019-03.csv.gz")
    assert metadata == {
        "dagster/uri": f"gs://{BUCKET}/{name(MARCH)}",
        "console": f"https://console.cloud.google.com/storage/browser/_details/{BUCKET}/{name(MARCH)}?project=trips-123",
        "generation": there.properties["generation"],
        "crc32c": there.properties["crc32c"],
        "storage_class": "STANDARD",
        "file": "green_tripdata_2019-03.csv.gz",
        "rows_in_file": 30,
        "file_bytes": len(there.content),
        "file_mib": 0.0,
        "csv_bytes": int(there.properties["metadata"]["csv-bytes"]),
        "csv_mib": 0.0,
        "unchanged": False,
        "dagster/partition_row_count": 30,
    }


def test_a_range_is_one_run_that_checks_once_and_records_each_month(google: GoogleServer, lake: Platform) -> None:
    run = lake.run(LAKE, months="2019-01...2019-03", config={LAKE: {"newest_first": True}})
    assert run.succeeded, run.failure
    assert uploads(google) == [name(MARCH), name(FEBRUARY), name(JANUARY)]
    assert [run.of(LAKE, str(month))["rows_in_file"] for month in (JANUARY, FEBRUARY, MARCH)] == [10, 20, 30]
    assert len(google.asked(f"GET /storage/v1/b/{BUCKET}/iam")) == 1
    assert run.labels()["file"] == "green_tripdata_2019-01.csv...green_tripdata_2019-03.csv"


def test_an_uploaded_month_is_recognised_and_sent_again_only_when_forced(google: GoogleServer, lake: Platform) -> None:
    lake.run(LAKE, month="2019-03")
    assert lake.run(LAKE, month="2019-03").of(LAKE, "2019-03")["unchanged"] is True
    assert len(uploads(google)) == 1
    forced = lake.run(LAKE, month="2019-03", config={LAKE: {"force": True}})
    assert forced.of(LAKE, "2019-03")["unchanged"] is False
    assert len(uploads(google)) == 2


def test_an_upload_that_a_killed_run_did_not_record_is_recorded_by_the_next_run(
    google: GoogleServer, lake: Platform, tmp_path: Path
) -> None:
    files = Cache(tmp_path / "raw", FolderSource(tmp_path / "published"))
    cloud = cloud_of(settings().cloud)
    Lake(cloud).put(files.get(GREEN, MARCH).file)
    assert lake.recorded(LAKE) == set()
    assert lake.run(LAKE, month="2019-03").of(LAKE, "2019-03")["unchanged"] is True
    assert lake.recorded(LAKE) == {"2019-03"}
    assert len(uploads(google)) == 1


# What goes wrong


def test_a_month_that_is_not_published_does_not_stop_the_others(google: GoogleServer, lake: Platform) -> None:
    run = lake.run(LAKE, months="2019-02...2019-04")
    assert not run.succeeded
    assert "1 of 3 months of green failed. The other 2 are in place and recorded." in run.failure
    assert lake.recorded(LAKE) == {"2019-02", "2019-03"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict.fromkeys(SETTINGS, ""), "GCP_PROJECT_ID, GCP_LOCATION, GCP_BUCKET_NAME, GCP_DATASET: not set. "),
        ({"GCP_DATASET": "zoom-camp"}, "GCP_DATASET=zoom-camp: a dataset cannot have this name. "),
        ({"GCP_LOCATION": "US"}, "dataset zoomcamp: it is in EU, and GCP_LOCATION is US; "),
        ({"GCP_BUCKET_NAME": "another-lake"}, "bucket another-lake: there is no such bucket. The job gcp_setup"),
        ({"GCP_CREDS": "garbage", "STORAGE_EMULATOR_HOST": ""}, "GCP_CREDS: it is neither JSON nor JSON in base64."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_run_that_cannot_succeed_fails_before_a_file_is_fetched(
    values: dict[str, str], message: str, google: GoogleServer, lake: Platform, tmp_path: Path
) -> None:
    lake.use(**values)
    run = lake.run(LAKE, months="2019-01...2019-03")
    assert not run.succeeded
    assert run.failure.startswith(message)
    assert uploads(google) == []
    assert not (tmp_path / "raw").exists()


def test_incomplete_settings_do_not_disturb_loads_into_postgresql(lake: Platform) -> None:
    lake.use(GCP_DATASET="zoom-camp", GCP_LOCATION="")
    assert lake.run("green_tripdata", month="2019-01").succeeded


# What other assets receive


def read(platform: Platform, month: str) -> tuple[dg.ExecuteInProcessResult, list[Any]]:
    """Run an asset that asks for a month of the lake; return the result and what the asset received."""
    given: list[Any] = []

    @dg.asset(
        ins={"files": dg.AssetIn(dg.AssetKey(["gcs", "green_tripdata"]), input_manager_key="gcs")},
        partitions_def=platform.definitions().resolve_assets_def("green_tripdata").partitions_def,
    )
    def reader(context: dg.AssetExecutionContext, files) -> None:
        given.append(files)
        given.extend(files.lake.find(files.service, month) for month in files.months)

    return platform.run("reader", month=month, further=[reader]).result, given


def test_an_asset_receives_an_object_as_a_file_with_its_address(google: GoogleServer, lake: Platform) -> None:
    lake.run(LAKE, month="2019-03")
    result, (files, file) = read(lake, "2019-03")
    assert result.success
    assert isinstance(files, LakeFiles)
    assert (files.service, files.months) == (GREEN, [MARCH])
    assert (file.uri, file.rows) == (f"gs://{BUCKET}/{name(MARCH)}", 30)
    assert str(file.object.generation) == google.objects[BUCKET, name(MARCH)].properties["generation"]


def test_an_object_that_was_removed_or_replaced_is_not_passed_on(google: GoogleServer, lake: Platform) -> None:
    lake.run(LAKE, month="2019-03")
    metadata = google.objects[BUCKET, name(MARCH)].properties["metadata"]
    google.put(BUCKET, name(MARCH), b"somebody's", {"metadata": metadata})
    result, given = read(lake, "2019-03")
    assert (result.success, len(given)) == (False, 1)
    del google.objects[BUCKET, name(MARCH)]
    result, given = read(lake, "2019-03")
    assert (result.success, len(given)) == (False, 1)


# The set-up job


def set_up(platform: Platform) -> dg.ExecuteInProcessResult:
    job = platform.definitions().resolve_job_def("gcp_setup")
    return job.execute_in_process(instance=platform.instance, raise_on_error=False)


def test_the_job_makes_what_the_assets_need(nothing: GoogleServer, platform: Platform) -> None:
    platform.use(STORAGE_EMULATOR_HOST=nothing.url, BIGQUERY_EMULATOR_HOST=nothing.url, **SETTINGS)
    assert not platform.run(LAKE, month="2019-03").succeeded
    assert set_up(platform).success
    assert set_up(platform).success
    assert (list(nothing.buckets), list(nothing.datasets)) == ([BUCKET], ["zoomcamp"])
    assert platform.run(LAKE, month="2019-03").succeeded


def test_the_job_says_what_is_missing(nothing: GoogleServer, platform: Platform) -> None:
    result = set_up(platform)
    (event,) = result.get_step_failure_events()
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert str(failure.description).startswith("GCP_PROJECT_ID, GCP_LOCATION, GCP_BUCKET_NAME, GCP_DATASET: not set. ")
    assert nothing.requests == []
