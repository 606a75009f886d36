"""``taxi gcp-teardown``: what it lists, that it asks first, and what it refuses to delete."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.lake import Lake
from taxi_platform.bigquery.setup import set_up
from taxi_platform.bigquery.teardown import find_contents, tear_down
from taxi_platform.cli.main import taxi
from taxi_platform.errors import CloudRefused
from taxi_platform.settings import settings
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.google_server import GoogleServer
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import MARCH, rows

OURS = {"app": "taxi_platform"}
BUCKET = "trips-123-lake"


@pytest.fixture
def used(nothing: GoogleServer, google_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoogleServer:
    """Set up a project with one month in the lake, one object left in staging, and two tables."""
    set_up(google_cloud)
    published = Published(tmp_path)
    published.publish(rows(GREEN, 3), month=MARCH)
    Lake(google_cloud).put(published.fetch(GREEN, MARCH))
    nothing.put(BUCKET, "staging/left.csv.gz", b"1")
    nothing.tables = {"green_tripdata": OURS, "fct_trips": OURS}
    values = {"PROJECT_ID": "trips-123", "LOCATION": "EU", "BUCKET_NAME": BUCKET, "DATASET": "zoomcamp"}
    for name, value in values.items():
        monkeypatch.setenv(f"GCP_{name}", value)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", nothing.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", nothing.url)
    settings.cache_clear()
    return nothing


def run_teardown(answer: str) -> Result:
    return CliRunner().invoke(taxi, ["gcp-teardown"], input=answer)


def deletions(google: GoogleServer) -> list[str]:
    return [asked.path for asked in google.requests if asked.method == "DELETE"]


def test_it_lists_what_exists_asks_and_deletes_all_of_it(used: GoogleServer) -> None:
    refused = run_teardown("n\n")
    assert refused.exit_code == 1
    assert "bucket gs://trips-123-lake with 2 objects, 0.0 MiB" in refused.output
    assert "dataset trips-123.zoomcamp with 2 tables: green_tripdata, fct_trips" in refused.output
    assert deletions(used) == []
    done = run_teardown("y\n")
    assert done.exit_code == 0, done.output
    assert (used.buckets, used.objects, used.datasets, used.tables) == ({}, {}, {}, {})
    assert "has neither bucket trips-123-lake nor dataset zoomcamp" in run_teardown("").output


@pytest.mark.parametrize("what", ["bucket trips-123-lake", "dataset zoomcamp", "table mine", f"gs://{BUCKET}/mine.csv"])
def test_nothing_is_deleted_if_something_is_not_ours(what: str, used: GoogleServer) -> None:
    if what.startswith("bucket"):
        used.buckets[BUCKET]["labels"] = {"app": "another"}
    elif what.startswith("dataset"):
        del used.datasets["zoomcamp"]["labels"]
    elif what.startswith("table"):
        used.tables["mine"] = {}
    else:
        used.put(BUCKET, "mine.csv", b"1")
    done = run_teardown("y\n")
    assert (done.exit_code, deletions(used)) == (2, [])
    assert f"Error: {what}: not made by this platform, so nothing is deleted." in done.output


def test_what_was_added_after_the_question_is_not_deleted(used: GoogleServer, google_cloud: Cloud) -> None:
    contents = find_contents(google_cloud)
    used.tables["mine"] = {}
    with pytest.raises(CloudRefused, match="still in use"):
        tear_down(google_cloud, contents)
    assert set(used.tables) == {"mine"}
    assert "zoomcamp" in used.datasets
