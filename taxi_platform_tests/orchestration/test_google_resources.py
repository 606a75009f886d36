"""dagster-gcp's resources in a user's own asset, on the emulators."""

import dagster as dg

from taxi_platform.bigquery.clients import Cloud
from taxi_platform_tests.support.asset_runs import Platform


def test_an_asset_of_a_user_gets_the_platforms_clients(ready_cloud: Cloud, platform: Platform) -> None:
    from dagster_gcp import BigQueryResource, GCSResource  # slow to import, and only needed here

    platform.use(
        GCP_PROJECT_ID=ready_cloud.project,
        GCP_LOCATION=ready_cloud.location,
        GCP_BUCKET_NAME=ready_cloud.bucket,
        GCP_DATASET=ready_cloud.dataset,
        STORAGE_EMULATOR_HOST=ready_cloud.storage_host,
        BIGQUERY_EMULATOR_HOST=ready_cloud.bigquery_host,
    )

    @dg.asset
    def seven(google_bigquery: BigQueryResource, google_storage: GCSResource) -> None:
        with google_bigquery.get_client() as client:
            (row,) = client.query_and_wait("SELECT 7 AS n")
        google_storage.get_client().bucket(ready_cloud.bucket).blob("seven.txt").upload_from_string(str(row["n"]))

    run = platform.run("seven", further=[seven])
    assert run.succeeded, run.failure
    assert ready_cloud.storage.bucket(ready_cloud.bucket).blob("seven.txt").download_as_bytes() == b"7"
