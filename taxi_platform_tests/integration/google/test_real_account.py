"""What only the real Google Cloud can show. Run by ``make test-gcp``, with the settings of one's own project.

Each run makes a bucket and a dataset of its own beside those of the settings, and removes them again.
"""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from google.api_core.exceptions import PreconditionFailed

from taxi_platform.failures import CloudNotReady, CloudRefused
from taxi_platform.google.clients import Cloud, cloud_named
from taxi_platform.google.lake.store import Lake
from taxi_platform.google.preflight import problems
from taxi_platform.google.setup import set_up
from taxi_platform.services import GREEN
from taxi_platform.settings import CloudSettings, settings
from taxi_platform_tests.published import Published
from taxi_platform_tests.trip_texts import MARCH, rows, text

pytestmark = pytest.mark.gcp


@pytest.fixture(scope="module")
def project() -> Iterator[Cloud]:
    """The project of the settings, with names for a bucket and a dataset that nobody has."""
    settings.cache_clear()
    found = settings().cloud or CloudSettings()  # pyright: ignore[reportCallIssue]
    cloud = cloud_named(
        found.project_id,
        found.location,
        found.bucket_name,
        found.dataset,
        creds=found.creds.get_secret_value() if found.creds else "",
        storage_host=found.storage_host,
        bigquery_host=found.bigquery_host,
    )
    name = uuid4().hex[:8]
    mine = replace(cloud, bucket=f"{cloud.bucket[:50]}-test-{name}", dataset=f"{cloud.dataset}_test_{name}")
    yield mine
    if mine.storage.lookup_bucket(mine.bucket):
        mine.storage.bucket(mine.bucket).delete(force=True)
    mine.bigquery.delete_dataset(mine.dataset, delete_contents=True, not_found_ok=True)


@pytest.fixture(scope="module")
def made(project: Cloud) -> Cloud:
    """The same project, once the bucket and the dataset are made."""
    set_up(project, print)
    return project


def test_set_up_makes_both_and_then_nothing_stands_in_the_way(made: Cloud) -> None:
    again = set_up(made, print)
    assert (again.made_bucket, again.made_dataset) == (False, False)
    assert list(problems(made, print)) == []


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
    with pytest.raises(CloudNotReady, match="it lies in"):
        set_up(replace(made, location=elsewhere), print)


def test_a_bucket_of_somebody_else_is_said_to_be(made: Cloud) -> None:
    with pytest.raises((CloudNotReady, CloudRefused)):
        set_up(replace(made, bucket="test"), print)


@pytest.mark.parametrize("count", [50, 500_000], ids=["one request", "in parts"])
def test_a_file_goes_up_is_recognised_and_found(count: int, made: Cloud, tmp_path) -> None:
    published = Published(tmp_path)
    published.publish(text(GREEN, rows(GREEN, count)))
    file, lake = published.fetch(), Lake(made)
    stored = lake.put(file, print)
    assert (lake.put(file, print).unchanged, lake.find(GREEN, MARCH, print)) == (True, stored.file)
    assert made.storage.bucket(made.bucket).blob(stored.file.object).download_as_bytes() == file.path.read_bytes()


def test_a_late_writer_is_refused(made: Cloud) -> None:
    blob = made.storage.bucket(made.bucket).blob("raw/late")
    blob.upload_from_string("first", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        made.storage.bucket(made.bucket).blob("raw/late").upload_from_string("second", if_generation_match=0)


def test_other_bytes_than_were_announced_never_become_an_object(
    made: Cloud, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Published(tmp_path)
    month = MARCH.plus(1)
    published.publish(rows(GREEN, 50), month=month)
    monkeypatch.setattr("taxi_platform.google.lake.store.crc32c_of", lambda _: "AAAAAA==")
    with pytest.raises(CloudRefused):
        Lake(made).put(published.fetch(month=month), print)
    with pytest.raises(CloudNotReady, match="the lake does not have it"):
        Lake(made).find(GREEN, month, print)
