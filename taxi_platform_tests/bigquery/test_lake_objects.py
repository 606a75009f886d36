"""The objects of the lake: their names, and the metadata that describes their files."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from taxi_platform.bigquery.lake import object_metadata, object_names, trip_file_of
from taxi_platform.errors import CloudNotReady
from taxi_platform.trips.files import FileFacts, ObjectFacts, SourceVersion, TripFile
from taxi_platform.trips.services import FHV, GREEN
from taxi_platform_tests.support.trip_texts import MARCH

NAME = "raw/green/green_tripdata_2019-03.csv.gz"
RAW = TripFile(
    service="green",
    month=MARCH,
    source="https://example.org/gr%C3%BCn.csv.gz",
    uri="file:///data/raw/green/green_tripdata_2019-03.csv.gz",
    facts=FileFacts(bytes=1000, csv_bytes=5000, sha256="ab" * 32, rows=50, regular=True),
    version=SourceVersion('"v1"', "Tue, 02 Apr 2019 10:00:00 GMT", 1000),
)


def stored(**changes: Any) -> Any:
    """Return the lake's object for ``RAW``, with some properties changed."""
    facts = {
        "name": NAME,
        "metadata": object_metadata(RAW, "AAAAAA=="),
        "generation": 1_600_000_000_000_000,
        "crc32c": "AAAAAA==",
        "size": 1000,
        "storage_class": "STANDARD",
    }
    return SimpleNamespace(**facts | changes)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in object_metadata(RAW, "AAAAAA==").items() if key != name}


def test_an_object_has_the_name_of_the_file_in_the_folder_of_its_service() -> None:
    assert object_names(GREEN, MARCH) == (
        "raw/green/green_tripdata_2019-03.csv.gz",
        "raw/green/green_tripdata_2019-03.csv",
        "raw/green/green_tripdata_2019-03.parquet",
    )
    assert object_names(FHV, MARCH)[1] == "raw/fhv/fhv_tripdata_2019-03.csv"


def test_the_metadata_of_an_object_holds_all_that_is_known_of_its_file() -> None:
    found = trip_file_of("trips", stored())
    assert found == replace(
        RAW,
        uri=f"gs://trips/{NAME}",
        stored=ObjectFacts("trips", NAME, 1_600_000_000_000_000, crc32c="AAAAAA==", storage_class="STANDARD"),
    )
    assert found.name == RAW.name == "green_tripdata_2019-03.csv.gz"


@pytest.mark.parametrize("metadata", [{"parser": "1"}, {"parser": ""}])
def test_a_file_that_an_earlier_parser_checked_is_not_known_to_be_regular(metadata: dict[str, str]) -> None:
    found = trip_file_of("trips", stored(metadata=object_metadata(RAW, "AAAAAA==") | metadata))
    assert found.facts == replace(RAW.facts, regular=None)


@pytest.mark.parametrize("name", ["source-etag", "source-modified"])
def test_an_object_may_lack_what_its_source_does_not_report(name: str) -> None:
    found = trip_file_of("trips", stored(metadata=without(name)))
    assert None in (found.version.etag, found.version.modified)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"metadata": None}, "its metadata lacks 'service'"),
        *[
            ({"metadata": without(name)}, f"its metadata lacks '{name}'")
            for name in ("service", "month", "source", "bytes", "csv-bytes", "sha256", "crc32c", "rows")
        ],
        ({"metadata": {**without("rows"), "rows": "many"}}, "its metadata cannot be read"),
        ({"metadata": {**without("month"), "month": "2019-13"}}, "its metadata cannot be read"),
        ({"size": 999}, "it has 999 bytes with the CRC32C AAAAAA== where its metadata says 1,000 and AAAAAA=="),
        ({"crc32c": "BBBBBB=="}, "it has 1,000 bytes with the CRC32C BBBBBB== where its metadata says 1,000"),
    ],
)
def test_an_object_that_is_not_what_its_metadata_says_is_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(CloudNotReady, match=r"^gs://trips/raw/green/green_tripdata_2019-03\.csv\.gz: ") as caught:
        trip_file_of("trips", stored(**changes))
    assert what in caught.value.what
    assert caught.value.advice == "Materialize its gcs/… asset again."
