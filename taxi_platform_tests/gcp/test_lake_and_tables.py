"""The lake and the tables: on the emulators if they can do it, and all in a real project with ``make test-gcp``.

A run in a real project makes its own bucket and dataset beside those of the settings, and removes them again.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, GoogleAPICallError, NotFound, PreconditionFailed

from taxi_platform.bigquery import statements, tables
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.frames import WarehouseReference, read_pandas
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.loader import load_month
from taxi_platform.bigquery.setup import problems, set_up
from taxi_platform.bigquery.tables import Tables
from taxi_platform.errors import CloudNotReady, CloudRefused
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.gcp.conftest import only_google, remove_tables
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.recordings import Recorder
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows, text, with_field
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

COUNT = "select count(*), count(distinct unique_row_id) from `{}.green_tripdata` where file_month is not null"

# Bucket and dataset


def test_set_up_creates_bucket_and_dataset_and_leaves_no_problems(made: Cloud) -> None:
    again = set_up(made)
    assert (again["made_bucket"], again["made_dataset"]) == (False, False)
    assert list(problems(made)) == []


def test_what_does_not_exist_is_reported_as_missing(made: Cloud, recorder: Recorder) -> None:
    name = f"taxi-{uuid4().hex}"
    with recorder.records("bucket_missing", bucket=name), pytest.raises(NotFound):
        made.storage.get_bucket(name)
    dataset = name.replace("-", "_")
    with recorder.records("dataset_missing", dataset=dataset), pytest.raises(NotFound):
        made.bigquery.get_dataset(dataset)
    with recorder.records("object_missing"), pytest.raises(NotFound):
        made.storage.bucket(made.bucket).blob("raw/absent").delete()


def test_a_dataset_is_created_once(made: Cloud, recorder: Recorder) -> None:
    with recorder.records("dataset_exists"), pytest.raises(Conflict):
        made.bigquery.create_dataset(made.dataset)


@only_google
def test_the_bucket_has_its_location_protection_labels_and_lifecycle(made: Cloud) -> None:
    bucket = made.storage.get_bucket(made.bucket)
    assert bucket.location.upper() == made.location.upper()
    assert bucket.iam_configuration.uniform_bucket_level_access_enabled
    assert bucket.iam_configuration.public_access_prevention == "enforced"
    assert bucket.labels == {"app": "taxi_platform"}
    (rule,) = bucket.lifecycle_rules
    assert rule["condition"] == {"age": 1, "matchesPrefix": ["staging/"]}


@only_google
def test_another_location_is_refused(made: Cloud) -> None:
    elsewhere = "US" if made.location.upper() != "US" else "EU"
    with pytest.raises(CloudNotReady, match="it is in"):
        set_up(replace(made, location=elsewhere))


@only_google
def test_a_bucket_of_somebody_else_is_refused(made: Cloud, recorder: Recorder) -> None:
    with recorder.records("bucket_of_a_stranger", bucket="test"), pytest.raises(Forbidden):
        made.storage.get_bucket("test")
    with recorder.records("bucket_name_taken", bucket="test"), pytest.raises(Conflict):
        made.storage.create_bucket("test", location=made.location)
    with pytest.raises((CloudNotReady, CloudRefused)):
        set_up(replace(made, bucket="test"))


# The lake


@pytest.mark.parametrize("count", [50, 50_000], ids=["one request", "in parts"])
def test_a_file_is_uploaded_recognised_and_found(
    count: int, made: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", 100_000)
    monkeypatch.setattr("taxi_platform.bigquery.lake.PART", 256 * 1024)  # Google's smallest
    published = Published(tmp_path)
    published.publish(text(GREEN, rows(GREEN, count)))
    file, lake = published.fetch(), Lake(made)
    assert (file.path.stat().st_size > 2 * 256 * 1024) == (count > 50)
    stored = lake.put(file)
    assert (lake.put(file).is_new, lake.find(GREEN, MARCH)) == (False, stored.file)
    assert made.storage.bucket(made.bucket).blob(stored.file.object.name).download_as_bytes() == file.path.read_bytes()


@only_google
def test_a_late_writer_is_refused(made: Cloud, recorder: Recorder) -> None:
    blob = made.storage.bucket(made.bucket).blob("raw/late")
    blob.upload_from_string("first", if_generation_match=0)
    with recorder.records("object_replaced"), pytest.raises(PreconditionFailed):
        made.storage.bucket(made.bucket).blob("raw/late").upload_from_string("second", if_generation_match=0)


@only_google
def test_bytes_that_differ_from_their_checksum_never_become_an_object(
    made: Cloud, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Published(tmp_path)
    month = MARCH.plus(1)
    published.publish(rows(GREEN, 50), month=month)
    monkeypatch.setattr("taxi_platform.bigquery.lake.crc32c_of", lambda _: "AAAAAA==")
    with recorder.records("object_damaged"), pytest.raises(CloudRefused):
        Lake(made).put(published.fetch(month=month))
    with pytest.raises(CloudNotReady, match="the lake does not have it"):
        Lake(made).find(GREEN, month)


# The tables


@pytest.fixture
def loads(made: Cloud, tmp_path: Path) -> WarehouseLoads:
    """Return the project's tables, without those of an earlier test."""
    remove_tables(made)
    return WarehouseLoads(made, Published(tmp_path))


def test_a_month_equals_its_file_is_recognised_and_reports_its_bytes(loads: WarehouseLoads) -> None:
    loaded = loads.load(rows(GREEN, 1000))
    assert loads.ask(COUNT) == [(1000, 1000)]
    assert loads.cloud.bigquery_host or loaded.jobs["replace"].bytes_processed > 0  # emulators report 0
    assert loads.load().unchanged
    assert loads.load(rows(GREEN, 900)).rows == 900
    assert loads.ask(COUNT) == [(900, 900)]
    assert loads.staging() == set()
    frame = read_pandas(loads.cloud, WarehouseReference(tables.table_of(loads.cloud, GREEN), (), [MARCH]))
    assert len(frame) == 900


@only_google
def test_an_irregular_file_and_its_bad_rows_arrive(loads: WarehouseLoads) -> None:
    lines = rows(GREEN, 10)
    lines[3] = with_field(GREEN, lines[3], "vendorid", "2.0")
    lines[5] = with_field(GREEN, lines[5], "store_and_fwd_flag", '"a, ""b"""')
    lines[7] = with_field(GREEN, lines[7], "trip_distance", "far")
    lines[9] = with_field(GREEN, lines[9], "tip_amount", "1.5e+20")
    loaded = loads.load(lines, max_bad_rows=1)
    assert (loaded.rows, loaded.rejected, loaded.line_by_line) == (9, 1, True)
    assert loads.load(max_bad_rows=1).unchanged
    assert loads.load(rows(GREEN, 10)).rows == 10
    assert loads.one("select count(*) from `{}.green_tripdata_rejects`") == 0


@only_google
def test_a_column_that_a_contract_got_later_is_added(loads: WarehouseLoads) -> None:
    fields = [field for field in tables.trip_fields(GREEN) if field.name != "congestion_surcharge"]
    Tables(loads.cloud).ensure(tables.table_of(loads.cloud, GREEN), fields, tables.clustering(GREEN), "older")
    assert loads.load(rows(GREEN, 3)).rows == 3
    assert loads.load().unchanged


@only_google
def test_concurrent_loads_of_a_month_leave_it_once(loads: WarehouseLoads) -> None:
    file = loads.upload(rows(GREEN, 1000))
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(load_month, replace(loads.cloud), file, force=True) for _ in range(3)]
    assert [one.result().rows for one in done] == [1000] * 3
    assert loads.ask(COUNT) == [(1000, 1000)]


@only_google
def test_a_staging_table_still_expires_once_it_is_loaded(
    loads: WarehouseLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tables, "drop_staging", lambda _, name: None)
    loads.load(rows(GREEN, 10))
    (name,) = loads.staging()
    table = loads.cloud.bigquery.get_table(f"{loads.cloud.dataset}.{name}")
    assert table.num_rows == 10
    assert table.expires is not None


@only_google
def test_a_table_of_version_0_1_is_recognised_and_its_month_can_be_replaced(loads: WarehouseLoads) -> None:
    from google.cloud.bigquery import SchemaField

    loads.load(rows(GREEN, 10))
    required = {"unique_row_id", "filename", "file_month", "file_version"}
    table = loads.cloud.bigquery.get_table(f"{loads.cloud.dataset}.green_tripdata")
    loads.cloud.bigquery.delete_table(table)
    table.schema = [
        SchemaField(field.name, field.kind, "REQUIRED" if field.name in required else "NULLABLE")
        for field in tables.trip_fields(GREEN)
    ]
    loads.cloud.bigquery.create_table(table)
    assert loads.load().rows == 10
    assert loads.load(rows(GREEN, 9)).rows == 9
    assert loads.load().unchanged


@only_google
def test_local_times_stay_local_whatever_the_default_time_zone_is(loads: WarehouseLoads) -> None:
    from google.cloud.bigquery import ConnectionProperty, QueryJobConfig

    elsewhere = QueryJobConfig(connection_properties=[ConnectionProperty("time_zone", "America/New_York")])
    value = "select unix_seconds(timestamp('2019-03-01 00:21:11', 'UTC')), @@time_zone"
    (row,) = loads.cloud.bigquery.query_and_wait(value, job_config=elsewhere)
    assert tuple(row.values()) == (1551399671, "America/New_York")


# Cost


@only_google
def test_a_month_is_read_without_reading_the_others(loads: WarehouseLoads) -> None:
    from google.cloud.bigquery import QueryJobConfig

    loads.load(rows(GREEN, 1000))
    loads.load(rows(GREEN, 10), month=APRIL)
    query = statements.versions(tables.table_of(loads.cloud, GREEN), APRIL)
    asked = loads.cloud.bigquery.query(query, QueryJobConfig(dry_run=True))
    assert asked.total_bytes_processed == 10 * 16


@only_google
def test_a_statement_that_would_read_too_much_is_refused_before_it_runs(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 1000))
    reference = WarehouseReference(tables.table_of(loads.cloud, GREEN))
    with pytest.raises(CloudRefused, match="would bill more than it may"):
        read_pandas(replace(loads.cloud, bytes_billed=1), reference)


@only_google
def test_a_filter_by_month_can_be_required_and_the_platform_has_one(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 10))
    loads.cloud = replace(loads.cloud, require_partition_filter=True)
    assert loads.load().unchanged
    assert loads.load(rows(GREEN, 9)).rows == 9
    with pytest.raises(BadRequest, match="without a filter over column"):
        loads.ask("select count(*) from `{}.green_tripdata`")
    assert len(read_pandas(loads.cloud, WarehouseReference(tables.table_of(loads.cloud, GREEN)))) == 9


@only_google
def test_jobs_carry_the_labels_by_which_their_cost_is_found(loads: WarehouseLoads) -> None:
    loaded = loads.load(rows(GREEN, 10))
    labels = [loads.cloud.bigquery.get_job(spent.job).labels for spent in loaded.jobs.values()]
    assert labels == [{**loads.cloud.labels, "service": "green", "month": "2019-03"}] * 2


# Jobs and accounts


@only_google
def test_the_id_of_a_job_can_be_used_once(made: Cloud, recorder: Recorder) -> None:
    job_id = f"taxi_test_{uuid4().hex}"
    made.bigquery.query("select 1", job_id=job_id, job_retry=None, retry=None)
    with recorder.records("job_exists", job=job_id), pytest.raises(Conflict):
        made.bigquery.query("select 1", job_id=job_id, job_retry=None, retry=None)


@pytest.fixture
def second(loads: WarehouseLoads) -> WarehouseLoads:
    """Return the same tables for a service account that may load, and that the first account may impersonate."""
    account = os.environ.get("GCP_TEST_IMPERSONATE")
    if not account:
        pytest.skip("GCP_TEST_IMPERSONATE does not name an account that may load, so two accounts are not tested")
    return WarehouseLoads(replace(loads.cloud, impersonated=account), loads.published)


@only_google
def test_two_accounts_load_the_same_month_and_do_not_see_each_others_jobs(
    loads: WarehouseLoads, second: WarehouseLoads, recorder: Recorder
) -> None:
    file = loads.upload(rows(GREEN, 1000))
    first = loads.load_file(file)
    remove_tables(loads.cloud)
    assert second.load_file(file).rows == 1000  # from the same state
    assert loads.load_file(file, force=True).rows == second.load_file(file, force=True).rows == 1000
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(one.load_file, file, force=True) for one in (loads, second)]
    assert [one.result().rows for one in done] == [1000, 1000]
    assert loads.ask(COUNT) == [(1000, 1000)]
    job = first.jobs["load"].job
    recorder.listen(second.cloud.bigquery)
    with recorder.records("job_of_another_account", job=job), suppress(GoogleAPICallError):
        second.cloud.bigquery.get_job(job, retry=None)
        pytest.skip("the second account owns the project, so it sees all jobs")
