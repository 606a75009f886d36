"""A prefix of a bucket as the landing place, with an emulator of Cloud Storage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.errors import CloudNotReady, DamagedFile, InvalidSetting, NotPublished, TaxiError
from taxi_platform.operations.landing.places import DroppedFile, LandingBucket
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.operations.test_landing_sensor import Landing
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

NAME = "green_tripdata_2019-03.csv.gz"
CONTENT = zipped(text(GREEN, rows(GREEN, 12)))


class Bucket:
    """A bucket with a landing place under ``drop/here``."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.uri = f"gs://{cloud.bucket}/drop/here"
        self.place = LandingBucket(cloud.storage, self.uri)
        self.bucket: Any = cloud.storage.bucket(cloud.bucket)

    def put(self, content: bytes, name: str = NAME) -> None:
        self.bucket.blob(f"drop/here/{name}").upload_from_string(content)

    def objects(self) -> Mapping[str, bytes]:
        """Return the objects under the prefix, by their names below it."""
        blobs: Any = self.cloud.storage.list_blobs(self.cloud.bucket, prefix="drop/here/")
        return {blob.name.removeprefix("drop/here/"): blob.download_as_bytes(raw_download=True) for blob in list(blobs)}

    def only(self) -> DroppedFile:
        (dropped,) = self.place.files()
        return dropped


@pytest.fixture
def bucket(ready_cloud: Cloud) -> Bucket:
    return Bucket(ready_cloud)


def test_objects_directly_under_the_prefix_are_listed_and_are_complete(bucket: Bucket) -> None:
    bucket.put(CONTENT)
    bucket.put(b"x", "done/a.csv")
    bucket.bucket.blob("drop/hereabouts.csv").upload_from_string(b"x")
    dropped = bucket.only()
    assert (dropped.name, dropped.is_complete) == (NAME, True)
    assert bucket.place.address(NAME) == f"{bucket.uri}/{NAME}"
    whole = LandingBucket(bucket.cloud.storage, f"gs://{bucket.cloud.bucket}")
    assert whole.address(NAME) == f"gs://{bucket.cloud.bucket}/{NAME}"
    assert whole.files() == []


def test_an_object_is_copied_as_it_is(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(CONTENT)
    version = bucket.place.fetch(NAME, bucket.only().version, tmp_path / NAME)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert version.bytes == len(CONTENT)


def test_only_the_version_that_was_listed_is_copied(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(CONTENT)
    dropped = bucket.only()
    bucket.put(b"other")
    with pytest.raises(DamagedFile, match="has changed since it was listed"):
        bucket.place.fetch(NAME, dropped.version, tmp_path / NAME)
    bucket.bucket.blob(f"drop/here/{NAME}").delete()
    with pytest.raises(NotPublished, match=r"is not there any more\. Drop it again"):
        bucket.place.fetch(NAME, dropped.version, tmp_path / NAME)
    with pytest.raises(TaxiError):
        bucket.place.move(dropped, "done")


def test_an_object_is_moved_with_the_reason_beside_it(bucket: Bucket) -> None:
    bucket.put(CONTENT)
    bucket.place.move(bucket.only(), "failed", "It is broken.\n")
    assert bucket.objects() == {f"failed/{NAME}": CONTENT, f"failed/{NAME}.reason.txt": b"It is broken.\n"}


def test_nothing_in_a_subfolder_is_ever_overwritten(bucket: Bucket) -> None:
    for content in (b"one", b"two"):
        bucket.put(content)
        bucket.place.move(bucket.only(), "done")
    assert bucket.objects() == {f"done/{NAME}": b"one", "done/green_tripdata_2019-03.2.csv.gz": b"two"}


def test_a_missing_bucket_is_reported(cloud: Cloud) -> None:
    with pytest.raises(CloudNotReady, match=cloud.bucket):
        LandingBucket(cloud.storage, f"gs://{cloud.bucket}/drop").files()


def test_a_uri_without_a_bucket_is_refused(cloud: Cloud) -> None:
    with pytest.raises(InvalidSetting, match=r"it names no bucket\. Write gs://bucket/prefix"):
        LandingBucket(cloud.storage, "gs:///drop")


def test_an_object_is_loaded_recorded_and_moved(
    bucket: Bucket, server: TripServer, platform: Platform, tmp_path: Path
) -> None:
    cloud = bucket.cloud
    platform.use(
        TAXI_SOURCE=server.template,
        TAXI_LANDING=bucket.uri,
        GCP_PROJECT_ID=cloud.project,
        GCP_LOCATION=cloud.location,
        GCP_BUCKET_NAME=cloud.bucket,
        GCP_DATASET=cloud.dataset,
        STORAGE_EMULATOR_HOST=cloud.storage_host,
        BIGQUERY_EMULATOR_HOST=cloud.bigquery_host,
    )
    bucket.put(CONTENT)
    bucket.put(b"broken", "yellow_tripdata_2019-03.csv.gz")
    landing = Landing(platform, tmp_path)
    runs = {run.labels()["taxi"]: run for run in landing.settle()}
    assert runs["green"].succeeded, runs["green"].failure
    assert not runs["yellow"].succeeded
    assert platform.count("green_tripdata", "2019-03") == 12
    assert runs["green"].of("raw/green_tripdata", "2019-03")["source"] == f"{bucket.uri}/{NAME}"
    assert platform.recorded("gcs/green_tripdata") == {"2019-03"}
    objects = bucket.objects()
    assert objects[f"done/{NAME}"] == CONTENT
    assert b"not a gzip file" in objects["failed/yellow_tripdata_2019-03.csv.gz.reason.txt"]
    assert isinstance(landing.tick(), list)
    assert landing.summary == "Nothing was dropped."
