"""The same models on BigQuery, as far as its emulator goes: built by Dagster, and holding what PostgreSQL's hold."""

from pathlib import Path

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.models.conftest import DIMENSIONS, MONTHLY, ZONES, green_march
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads


def test_a_month_is_built_on_bigquery_and_again(platform: Platform, ready_cloud: Cloud, tmp_path: Path) -> None:
    loads = WarehouseLoads(ready_cloud, Published(tmp_path))
    loads.load(green_march(), GREEN)
    (tmp_path / "published/taxi_zone_lookup.csv").write_text(ZONES)
    platform.use(
        TAXI_SOURCE=str(tmp_path / "published"),
        GCP_PROJECT_ID=ready_cloud.project,
        GCP_LOCATION=ready_cloud.location,
        GCP_BUCKET_NAME=ready_cloud.bucket,
        GCP_DATASET=ready_cloud.dataset,
        STORAGE_EMULATOR_HOST=ready_cloud.storage_host,
        BIGQUERY_EMULATOR_HOST=ready_cloud.bigquery_host,
    )
    for assets in (["taxi_zone_lookup"], DIMENSIONS):
        run = platform.run(*(f"bigquery/{name}" for name in assets))
        assert run.succeeded, run.failure
    monthly = [f"bigquery/{name}" for name in MONTHLY]
    for assets in (monthly, ["bigquery/fct_trips"]):
        run = platform.run(*assets, month="2019-03")
        assert run.succeeded, run.failure
        assert run.of("bigquery/fct_trips", "2019-03")["dagster/partition_row_count"] == 43
        assert loads.ask("select count(*), count(distinct trip_key), countif(vendor_id = -1) from `{}.fct_trips`") == [
            (43, 43, 2)
        ]
