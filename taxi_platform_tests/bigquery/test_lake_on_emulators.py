"""The lake on the emulators of Cloud Storage and BigQuery, with the official clients: from set-up to a found file."""

import pytest

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.setup import problems, set_up
from taxi_platform.errors import CloudNotReady, CloudRefused
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import MARCH, rows, text, zipped


def content(cloud: Cloud, file: TripFile) -> bytes:
    name = f"raw/{file.service}/{file.name}"
    return cloud.storage.bucket(cloud.bucket).blob(name).download_as_bytes(raw_download=True)


def test_bucket_and_dataset_are_made_once_and_then_nothing_stands_in_the_way(cloud: Cloud) -> None:
    assert [type(problem) for problem in problems(cloud)] == [CloudNotReady, CloudNotReady]
    first, second = set_up(cloud), set_up(cloud)
    assert (first.made_bucket, first.made_dataset) == (True, True)
    assert (second.made_bucket, second.made_dataset) == (False, False)
    assert list(problems(cloud)) == []


def test_a_bucket_in_another_location_is_refused(ready_cloud: Cloud) -> None:
    elsewhere = Cloud(
        ready_cloud.project,
        "europe-west2",
        ready_cloud.bucket,
        ready_cloud.dataset,
        storage_host=ready_cloud.storage_host,
        bigquery_host=ready_cloud.bigquery_host,
    )
    with pytest.raises(CloudNotReady, match="it is in US, and GCP_LOCATION is europe-west2"):
        set_up(elsewhere)


def test_a_file_goes_up_is_recognised_and_found_and_is_replaced_by_its_correction(
    ready_cloud: Cloud, published: Published
) -> None:
    published.publish(rows(GREEN, 50))
    file, lake = published.fetch(), Lake(ready_cloud)
    first = lake.put(file)
    assert content(ready_cloud, file) == file.path.read_bytes()
    assert (lake.put(file).is_new, lake.find(GREEN, MARCH)) == (False, first.file)
    published.publish(rows(GREEN, 51))
    corrected = lake.put(published.fetch())
    assert lake.find(GREEN, MARCH) == corrected.file
    assert (corrected.file.rows, corrected.is_new) == (51, True)


def test_a_large_file_goes_up_in_parts(ready_cloud: Cloud, published: Published) -> None:
    published.publish(text(GREEN, rows(GREEN, 500_000)))
    file = published.fetch()
    assert file.bytes > 32 * 2**20
    Lake(ready_cloud).put(file)
    assert content(ready_cloud, file) == file.path.read_bytes()


def test_bytes_that_are_not_those_that_were_verified_never_become_an_object(
    ready_cloud: Cloud, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.publish(zipped(text(GREEN, rows(GREEN, 50))))
    monkeypatch.setattr("taxi_platform.bigquery.lake.crc32c_of", lambda _: "AAAAAA==")
    with pytest.raises(CloudRefused, match="Provided CRC32C"):
        Lake(ready_cloud).put(published.fetch())
    with pytest.raises(CloudNotReady, match="the lake does not have it"):
        Lake(ready_cloud).find(GREEN, MARCH)
