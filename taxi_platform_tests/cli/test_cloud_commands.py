"""The commands of the README for Google Cloud, typed in a shell, on the emulators."""

from pathlib import Path

from taxi_platform.bigquery.clients import Cloud
from taxi_platform_tests.support.shell import typed


def of(cloud: Cloud) -> dict[str, str]:
    """The settings that name a cloud."""
    return {
        "GCP_PROJECT_ID": cloud.project,
        "GCP_LOCATION": cloud.location,
        "GCP_BUCKET_NAME": cloud.bucket,
        "GCP_DATASET": cloud.dataset,
        "STORAGE_EMULATOR_HOST": cloud.storage_host,
        "BIGQUERY_EMULATOR_HOST": cloud.bigquery_host,
        "TAXI_SOURCE": "sample:0.001",
    }


def test_set_up_and_one_month_in_the_lake_and_in_bigquery(cloud: Cloud, state_database: str, tmp_path: Path) -> None:
    values = of(cloud) | {"TAXI_POSTGRES_URL": state_database}
    made = typed("dagster job execute -j gcp_setup", data=tmp_path, **values)
    assert made.returncode == 0, made.stdout
    assert f"bucket {cloud.bucket}: created, in US" in made.stdout
    sent = typed("dagster asset materialize --select gcs/green_tripdata --partition 2019-03", data=tmp_path, **values)
    assert sent.returncode == 0, sent.stdout
    loaded = typed("taxi backfill green 2019-03 --to bigquery", data=tmp_path, **values)
    assert loaded.returncode == 0, loaded.stdout
    assert "1 month: 1 loaded (" in loaded.stdout
    assert "all recorded loads" in typed("taxi status --cloud", data=tmp_path, **values).stdout
    (blob,) = cloud.storage.list_blobs(cloud.bucket)
    assert blob.name == "raw/green/green_tripdata_2019-03.csv.gz"
