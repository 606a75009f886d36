"""The models on BigQuery: every kind of build by Dagster keeps every month, and its jobs are capped and labelled."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.models.targets import BUILD_LOCK
from taxi_platform.settings import settings
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.gcp.conftest import only_google, remove_tables
from taxi_platform_tests.models.conftest import DIMENSIONS, MONTHLY, ZONES, green_march
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.job_server import JobServer, is_job
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import APRIL, rows
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

OF_MONTHS = "where file_month is not null group by file_month order by file_month"
TRIPS = f"select file_month, count(*), count(distinct trip_key) from `{{}}.fct_trips` {OF_MONTHS}"
REVENUE = f"select sum(trips) from `{{}}.fct_monthly_zone_revenue` {OF_MONTHS}"
BOTH = [(date(2019, 3, 1), 43, 43), (date(2019, 4, 1), 10, 10)]
REPLACE_COLUMNS = "create or replace table `{}.fct_trips` as select * except (store_and_fwd_flag) from `{}.fct_trips`"


@pytest.fixture(scope="module")
def own_settings(made: Cloud) -> Mapping[str, str]:
    """Return the settings that name the project, and the bucket and dataset of this test session."""
    found = {
        "GCP_PROJECT_ID": made.project,
        "GCP_LOCATION": made.location,
        "GCP_BUCKET_NAME": made.bucket,
        "GCP_DATASET": made.dataset,
    }
    if made.bigquery_host:
        return {**found, "STORAGE_EMULATOR_HOST": made.storage_host}
    settings.cache_clear()
    return {
        **found,
        "GCP_CREDS": made.creds,
        "GCP_IMPERSONATE_SERVICE_ACCOUNT": made.impersonated,
        "GCP_REQUIRE_PARTITION_FILTER": "true",
    }


@pytest.fixture
def front(made: Cloud) -> Iterator[JobServer | None]:
    """Yield a server in front of BigQuery's emulator that records requests; None for Google itself."""
    with JobServer(made.bigquery_host) if made.bigquery_host else nullcontext() as server:
        yield server


@pytest.fixture
def loads(
    made: Cloud,
    own_settings: Mapping[str, str],
    front: JobServer | None,
    platform: Platform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> WarehouseLoads:
    """Load two months of trips and the zones into an empty dataset."""
    warm.use_for_dbt(monkeypatch)
    remove_tables(made)
    loads = WarehouseLoads(replace(made, require_partition_filter=not front), Published(tmp_path))
    loads.load(green_march(), GREEN)
    loads.load(rows(GREEN, 10), GREEN, APRIL)
    (tmp_path / "published/taxi_zone_lookup.csv").write_text(ZONES)
    emulator = {"BIGQUERY_EMULATOR_HOST": front.url} if front else {}
    platform.use(TAXI_SOURCE=str(tmp_path / "published"), **own_settings, **emulator)
    zones = platform.run("bigquery/taxi_zone_lookup")
    assert zones.succeeded, zones.failure
    return loads


def test_a_build_replaces_its_month_and_a_rebuild_keeps_every_month(
    platform: Platform, loads: WarehouseLoads, front: JobServer | None
) -> None:
    every = [f"bigquery/{name}" for name in (*DIMENSIONS, *MONTHLY)]
    first = platform.run(*every, months="2019-03...2019-04")
    assert first.succeeded, first.failure
    assert first.of("bigquery/fct_trips", "2019-03")["dagster/partition_row_count"] == 43
    assert loads.ask(TRIPS) == BOTH
    assert loads.ask(REVENUE) == [(43,), (10,)]

    # A table whose columns changed is built again with all months; of the other, April is neither read nor written.
    loads.ask(REPLACE_COLUMNS if front else "alter table `{}.fct_trips` drop column store_and_fwd_flag")
    loads.ask("delete from `{}.fct_monthly_zone_revenue` where file_month = '2019-04-01'")
    both = ["bigquery/fct_trips", "bigquery/fct_monthly_zone_revenue"]
    changed = platform.run(*both, month="2019-03")
    assert changed.succeeded, changed.failure
    if front:  # deletes a whole partition without reading it; a MERGE would be billed for it
        (sent,) = [asked.body.decode() for asked in front.requests if is_job(asked) and b"delete from" in asked.body]
        assert "where (file_month >= date '2019-03-01' and file_month < date '2019-04-01');" in sent
    assert loads.ask(TRIPS) == BOTH
    filled = "select count(store_and_fwd_flag) from `{}.fct_trips` where file_month is not null"
    assert loads.one(filled) > 0
    assert loads.ask(REVENUE) == [(43,)]

    config = {"bigquery_monthly_models": {"full_refresh": True}}
    refreshed = platform.run("bigquery/fct_monthly_zone_revenue", month="2019-03", config=config)
    assert refreshed.succeeded, refreshed.failure
    assert loads.ask(REVENUE) == [(43,), (10,)]
    assert BUILD_LOCK not in loads.tables()

    if front:
        assert front.unlimited() == []
        labels = [asked.json["configuration"]["labels"] for asked in front.requests if is_job(asked)]
        of_the_last_run = [one for one in labels if one["run"] == refreshed.result.run_id.partition("-")[0]]
        assert {one.get("month") for one in of_the_last_run} == {None, "2019-03"}  # None: row counts have no month
        assert {one.get("model") for one in labels} >= {"fct_trips", "dim_zones", "stg_green_tripdata"}


@only_google
def test_the_models_are_capped_too(platform: Platform, loads: WarehouseLoads) -> None:
    platform.use(GCP_MAX_GIB_BILLED="0.000001")
    refused = platform.run("bigquery/fct_trips", month="2019-03")
    assert not refused.succeeded
    assert "bytes billed" in str(refused.failure)
