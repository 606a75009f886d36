"""The lake on the emulators of Cloud Storage and BigQuery, with the official clients: from set-up to a found file."""

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.setup import problems, set_up
from taxi_platform.errors import CloudNotReady
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import rows, text


def content(cloud: Cloud, file: TripFile) -> bytes:
    name = f"raw/{file.service}/{file.name}"
    return cloud.storage.bucket(cloud.bucket).blob(name).download_as_bytes(raw_download=True)


def test_set_up_creates_bucket_and_dataset_once_and_then_there_are_no_problems(cloud: Cloud) -> None:
    assert [type(problem) for problem in problems(cloud)] == [CloudNotReady, CloudNotReady]
    first, second = set_up(cloud), set_up(cloud)
    assert (first["made_bucket"], first["made_dataset"]) == (True, True)
    assert (second["made_bucket"], second["made_dataset"]) == (False, False)
    assert list(problems(cloud)) == []


def test_a_large_file_goes_up_in_parts(ready_cloud: Cloud, published: Published) -> None:
    published.publish(text(GREEN, 100 * rows(GREEN, 5_000)))
    file = published.fetch()
    assert file.bytes > 32 * 2**20
    Lake(ready_cloud).put(file)
    assert content(ready_cloud, file) == file.path.read_bytes()
