"""The same models on BigQuery, as far as its emulator goes: built by Dagster, and holding what PostgreSQL's hold."""

from datetime import date
from pathlib import Path

import pytest

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.models.targets import BUILD_LOCK
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.models.conftest import DIMENSIONS, MONTHLY, ZONES, green_march
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import APRIL, rows
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

TRIPS = "select file_month, count(*), count(distinct trip_key) from `{}.fct_trips` group by 1 order by 1"
REVENUE = "select sum(trips) from `{}.fct_monthly_zone_revenue` group by file_month order by file_month"
BOTH = [(date(2019, 3, 1), 43, 43), (date(2019, 4, 1), 10, 10)]


@pytest.fixture
def loads(platform: Platform, ready_cloud: Cloud, tmp_path: Path) -> WarehouseLoads:
    """A dataset with two months of trips and the zones."""
    loads = WarehouseLoads(ready_cloud, Published(tmp_path))
    loads.load(green_march(), GREEN)
    loads.load(rows(GREEN, 10), GREEN, APRIL)
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
    zones = platform.run("bigquery/taxi_zone_lookup")
    assert zones.succeeded, zones.failure
    return loads


def test_a_build_replaces_its_month_and_a_rebuild_keeps_every_month(platform: Platform, loads: WarehouseLoads) -> None:
    every = [f"bigquery/{name}" for name in (*DIMENSIONS, *MONTHLY)]
    first = platform.run(*every, months="2019-03...2019-04")
    assert first.succeeded, first.failure
    assert first.of("bigquery/fct_trips", "2019-03")["dagster/partition_row_count"] == 43
    assert loads.ask(TRIPS) == BOTH
    assert loads.ask(REVENUE) == [(43,), (10,)]

    # A table with other columns is built again with all months; of the other, April is neither read nor written.
    loads.ask("create or replace table `{}.fct_trips` as select * except (store_and_fwd_flag) from `{}.fct_trips`")
    loads.ask("delete from `{}.fct_monthly_zone_revenue` where file_month = '2019-04-01'")
    both = ["bigquery/fct_trips", "bigquery/fct_monthly_zone_revenue"]
    changed = platform.run(*both, month="2019-03")
    assert changed.succeeded, changed.failure
    assert loads.ask(TRIPS) == BOTH
    assert loads.one("select count(store_and_fwd_flag) from `{}.fct_trips`") > 0
    assert loads.ask(REVENUE) == [(43,)]

    config = {"bigquery_monthly_models": {"full_refresh": True}}
    refreshed = platform.run("bigquery/fct_monthly_zone_revenue", month="2019-03", config=config)
    assert refreshed.succeeded, refreshed.failure
    assert loads.ask(REVENUE) == [(43,), (10,)]
    assert BUILD_LOCK not in loads.tables()
