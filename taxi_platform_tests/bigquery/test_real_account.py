"""What only the real Google Cloud can show. Run by ``make test-gcp``, with the settings of one's own project.

Each run makes a bucket and a dataset of its own beside those of the settings, and removes them again.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from google.api_core.exceptions import PreconditionFailed

from taxi_platform.bigquery import statements, tables
from taxi_platform.bigquery.clients import Cloud, cloud_of
from taxi_platform.bigquery.frames import WarehouseReference, read_pandas
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.loader import load_month
from taxi_platform.bigquery.setup import problems, set_up
from taxi_platform.bigquery.tables import Tables
from taxi_platform.errors import CloudNotReady, CloudRefused
from taxi_platform.settings import settings
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows, text, with_field
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

pytestmark = pytest.mark.gcp


@pytest.fixture(scope="module")
def project() -> Iterator[Cloud]:
    """The project of the settings, with names for a bucket and a dataset that nobody has."""
    settings.cache_clear()
    cloud = cloud_of(settings().cloud)
    name = uuid4().hex[:8]
    mine = replace(cloud, bucket=f"{cloud.bucket[:50]}-test-{name}", dataset=f"{cloud.dataset}_test_{name}")
    yield mine
    if mine.storage.lookup_bucket(mine.bucket):
        mine.storage.bucket(mine.bucket).delete(force=True)
    mine.bigquery.delete_dataset(mine.dataset, delete_contents=True, not_found_ok=True)


@pytest.fixture(scope="module")
def made(project: Cloud) -> Cloud:
    """The same project, once the bucket and the dataset are made."""
    set_up(project)
    return project


def test_set_up_creates_both_and_then_there_are_no_problems(made: Cloud) -> None:
    again = set_up(made)
    assert (again.made_bucket, again.made_dataset) == (False, False)
    assert list(problems(made)) == []


def test_the_bucket_is_where_and_as_it_should_be(made: Cloud) -> None:
    bucket = made.storage.get_bucket(made.bucket)
    assert bucket.location.upper() == made.location.upper()
    assert bucket.iam_configuration.uniform_bucket_level_access_enabled
    assert bucket.iam_configuration.public_access_prevention == "enforced"
    assert bucket.labels == {"app": "taxi_platform"}
    (rule,) = bucket.lifecycle_rules
    assert rule["condition"] == {"age": 1, "matchesPrefix": ["staging/"]}


def test_another_location_is_refused(made: Cloud) -> None:
    elsewhere = "US" if made.location.upper() != "US" else "EU"
    with pytest.raises(CloudNotReady, match="it is in"):
        set_up(replace(made, location=elsewhere))


def test_a_bucket_of_somebody_else_is_refused(made: Cloud) -> None:
    with pytest.raises((CloudNotReady, CloudRefused)):
        set_up(replace(made, bucket="test"))


@pytest.mark.parametrize("count", [50, 500_000], ids=["one request", "in parts"])
def test_a_file_goes_up_is_recognised_and_found(count: int, made: Cloud, tmp_path: Path) -> None:
    published = Published(tmp_path)
    published.publish(text(GREEN, rows(GREEN, count)))
    file, lake = published.fetch(), Lake(made)
    stored = lake.put(file)
    assert (lake.put(file).is_new, lake.find(GREEN, MARCH)) == (False, stored.file)
    assert made.storage.bucket(made.bucket).blob(stored.file.object.name).download_as_bytes() == file.path.read_bytes()


def test_a_late_writer_is_refused(made: Cloud) -> None:
    blob = made.storage.bucket(made.bucket).blob("raw/late")
    blob.upload_from_string("first", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        made.storage.bucket(made.bucket).blob("raw/late").upload_from_string("second", if_generation_match=0)


def test_other_bytes_than_were_announced_never_become_an_object(
    made: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Published(tmp_path)
    month = MARCH.plus(1)
    published.publish(rows(GREEN, 50), month=month)
    monkeypatch.setattr("taxi_platform.bigquery.lake.crc32c_of", lambda _: "AAAAAA==")
    with pytest.raises(CloudRefused):
        Lake(made).put(published.fetch(month=month))
    with pytest.raises(CloudNotReady, match="the lake does not have it"):
        Lake(made).find(GREEN, month)


# The warehouse


@pytest.fixture
def loads(made: Cloud, tmp_path: Path) -> WarehouseLoads:
    """The project's warehouse, without the tables of an earlier test."""
    for table in made.bigquery.list_tables(made.dataset):
        made.bigquery.delete_table(table.reference)
    return WarehouseLoads(made, Published(tmp_path))


def test_a_month_is_its_file_is_recognised_and_says_what_it_took(loads: WarehouseLoads) -> None:
    loaded = loads.load(rows(GREEN, 1000))
    assert loads.ask("select count(*), count(distinct unique_row_id) from `{}.green_tripdata`") == [(1000, 1000)]
    assert loaded.jobs["replace"].bytes_processed > 0
    assert loads.load().unchanged
    assert loads.load(rows(GREEN, 900)).rows == 900
    assert loads.one("select count(*) from `{}.green_tripdata`") == 900
    assert loads.staging() == set()
    frame = read_pandas(loads.cloud, WarehouseReference(tables.table_of(loads.cloud, GREEN), (), [MARCH]))
    assert len(frame) == 900


def test_two_loads_of_a_month_at_once_leave_it_once(loads: WarehouseLoads) -> None:
    file = loads.upload(rows(GREEN, 1000))
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(load_month, replace(loads.cloud), file, force=True) for _ in range(3)]
    assert [one.result().rows for one in done] == [1000] * 3
    assert loads.ask("select count(*), count(distinct unique_row_id) from `{}.green_tripdata`") == [(1000, 1000)]


def test_a_staging_table_still_expires_once_it_is_loaded(
    loads: WarehouseLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tables, "drop_staging", lambda _, name: None)
    loads.load(rows(GREEN, 10))
    (name,) = loads.staging()
    table = loads.cloud.bigquery.get_table(f"{loads.cloud.dataset}.{name}")
    assert table.num_rows == 10
    assert table.expires is not None


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


def test_an_irregular_file_and_its_bad_rows_arrive(loads: WarehouseLoads) -> None:
    lines = rows(GREEN, 10)
    lines[3] = with_field(GREEN, lines[3], "vendorid", "2.0")
    lines[5] = with_field(GREEN, lines[5], "store_and_fwd_flag", '"a, ""b"""')
    lines[7] = with_field(GREEN, lines[7], "trip_distance", "far")
    lines[9] = with_field(GREEN, lines[9], "tip_amount", "1.5e+20")
    loaded = loads.load(lines, on_bad_rows="quarantine")
    assert (loaded.rows, loaded.rejected, loaded.line_by_line) == (9, 1, True)
    assert loads.load(on_bad_rows="quarantine").unchanged
    assert loads.load(rows(GREEN, 10)).rows == 10
    assert loads.one("select count(*) from `{}.green_tripdata_rejects`") == 0


def test_a_month_is_asked_for_without_reading_the_others(loads: WarehouseLoads) -> None:
    from google.cloud.bigquery import QueryJobConfig

    loads.load(rows(GREEN, 1000))
    loads.load(rows(GREEN, 10), month=APRIL)
    query = statements.versions(tables.table_of(loads.cloud, GREEN), APRIL)
    asked = loads.cloud.bigquery.query(query, QueryJobConfig(dry_run=True, use_query_cache=False))
    assert asked.total_bytes_processed == 10 * 16


def test_a_statement_that_would_read_too_much_is_refused_before_it_does(loads: WarehouseLoads) -> None:
    loads.load(rows(GREEN, 1000))
    reference = WarehouseReference(tables.table_of(loads.cloud, GREEN))
    with pytest.raises(CloudRefused, match="would bill more than it may"):
        read_pandas(replace(loads.cloud, bytes_billed=1), reference)
