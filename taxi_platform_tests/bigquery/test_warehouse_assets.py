"""The warehouse's assets as Dagster runs them, on the emulators: months, ranges, schedules, frames, and the check."""

from collections.abc import Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.frames import WarehouseReference
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support.asset_runs import Platform, Run
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import row, rows, with_field
from taxi_platform_tests.support.warehouse_loads import WarehouseLoads

LAKE, TABLE = "gcs/green_tripdata", "bigquery/green_tripdata"
JANUARY, FEBRUARY, MARCH = Month(2019, 1), Month(2019, 2), Month(2019, 3)
CHECK = "same_in_both_warehouses"
KEY = dg.AssetKey(["bigquery", "green_tripdata"])


@pytest.fixture
def source(published: Published) -> Published:
    """Publish the first months of 2019: ten trips of January, twenty of February, thirty of March."""
    for month in (JANUARY, FEBRUARY, MARCH):
        published.publish(rows(GREEN, 10 * month.month), month=month)
    return published


@pytest.fixture
def warehouse(loads: WarehouseLoads, source: Published, platform: Platform) -> Platform:
    """Set up the platform with that source and a project on the emulators."""
    cloud: Cloud = loads.cloud
    platform.use(
        TAXI_SOURCE=str(source.folder),
        GCP_PROJECT_ID=cloud.project,
        GCP_LOCATION=cloud.location,
        GCP_BUCKET_NAME=cloud.bucket,
        GCP_DATASET=cloud.dataset,
        STORAGE_EMULATOR_HOST=cloud.storage_host,
        BIGQUERY_EMULATOR_HOST=cloud.bigquery_host,
    )
    return platform


def counts(loads: WarehouseLoads, service: Service = GREEN) -> Mapping[str, int]:
    """Return the row count of each month in BigQuery."""
    found = loads.ask(f"select filename, count(*) from `{{}}.{service.table}` group by 1 order by 1")
    return {name.removesuffix(".csv")[-7:]: count for name, count in found}


def check_results(run: Run) -> Mapping[str | None, bool]:
    """Return whether the check passed, by month."""
    made = [entry.dagster_event for entry in run.log if entry.dagster_event]
    found = [one.asset_check_evaluation_data for one in made if one.event_type_value == "ASSET_CHECK_EVALUATION"]
    return {one.partition: one.passed for one in found if one.check_name == CHECK}


# Months and ranges


def test_a_month_of_every_service_goes_to_both_warehouses_in_one_run_and_is_the_same_there(
    warehouse: Platform, loads: WarehouseLoads
) -> None:
    warehouse.use(TAXI_SOURCE="sample:0.0001")
    places = [f"{place}{service.table}" for place in ("raw/", "", "gcs/", "bigquery/") for service in SERVICES.values()]
    run = warehouse.run(*places, month="2019-03")
    assert run.succeeded, run.failure
    assert [run.months(place) for place in places] == [["2019-03"]] * 16
    checked = [entry.asset_check_evaluation for entry in run.log if entry.asset_check_evaluation]
    assert [(one.partition, one.passed) for one in checked if one.check_name == CHECK] == [("2019-03", True)] * 4
    for service in SERVICES.values():
        assert counts(loads, service) == {"2019-03": warehouse.count(service.table)}


def test_the_metadata_of_a_load_states_its_cost(warehouse: Platform, loads: WarehouseLoads) -> None:
    metadata = warehouse.run(LAKE, TABLE, month="2019-03").of(TABLE, "2019-03")
    table = f"{loads.cloud.project}.{loads.cloud.dataset}.green_tripdata"
    assert metadata["dagster/relation_identifier"] == metadata["table"] == table
    assert [metadata[name] for name in ("rows_in_file", "rows_loaded", "rows_rejected")] == [30, 30, 0]
    assert metadata["dagster/partition_row_count"] == 30
    assert metadata["object"] == f"gs://{loads.cloud.bucket}/raw/green/green_tripdata_2019-03.csv.gz"
    assert metadata["job"].startswith(f"https://console.cloud.google.com/bigquery?project={loads.cloud.project}&j=bq:")
    assert metadata["job_id"] in metadata["job"]
    assert {
        name: type(metadata[name])
        for name in ("bytes_processed", "bytes_billed", "dollars", "slot_ms", "load_seconds", "replace_seconds")
    } == {
        "bytes_processed": int,
        "bytes_billed": int,
        "dollars": float,
        "slot_ms": int,
        "load_seconds": float,
        "replace_seconds": float,
    }
    assert (metadata["unchanged"], metadata["line_by_line"]) == (False, False)


def test_a_range_is_one_run_that_records_and_compares_each_month(warehouse: Platform, loads: WarehouseLoads) -> None:
    span = "2019-01...2019-03"
    assert warehouse.run("green_tripdata", LAKE, months=span).succeeded
    run = warehouse.run(TABLE, months=span)
    assert run.succeeded, run.failure
    assert [run.of(TABLE, str(month))["rows_loaded"] for month in (JANUARY, FEBRUARY, MARCH)] == [10, 20, 30]
    assert counts(loads) == {"2019-01": 10, "2019-02": 20, "2019-03": 30}
    assert check_results(run) == {"2019-01": True, "2019-02": True, "2019-03": True}
    again = warehouse.run(TABLE, months="2019-02...2019-03")
    assert [again.of(TABLE, str(month))["unchanged"] for month in (FEBRUARY, MARCH)] == [True] * 2
    forced = warehouse.run(TABLE, month="2019-03", config={TABLE: {"force": True, "newest_first": True}})
    assert forced.of(TABLE, "2019-03")["unchanged"] is False
    assert counts(loads) == {"2019-01": 10, "2019-02": 20, "2019-03": 30}


def test_a_month_that_cannot_be_loaded_does_not_stop_the_others(
    warehouse: Platform, loads: WarehouseLoads, source: Published
) -> None:
    source.publish([row(GREEN, 1), with_field(GREEN, row(GREEN, 2), "tip_amount", "nan")], month=FEBRUARY)
    run = warehouse.run(LAKE, TABLE, months="2019-01...2019-03")
    assert "1 of 3 months of green failed. The other 2 are in place and recorded." in run.failure
    assert "2019-02: green_tripdata_2019-02.csv: 1 of 2 rows cannot be stored" in run.failure
    assert "line 3: tip_amount 'nan' is not a number" in run.failure
    assert warehouse.recorded(TABLE) == {"2019-01", "2019-03"}
    assert counts(loads) == {"2019-01": 10, "2019-03": 30}
    warehouse.use(TAXI_ON_BAD_ROWS="quarantine", TAXI_MAX_BAD_ROWS="0.5")
    run = warehouse.run(TABLE, month="2019-02")
    assert (run.of(TABLE, "2019-02")["rows_loaded"], run.of(TABLE, "2019-02")["rows_rejected"]) == (1, 1)


def test_a_month_that_differs_fails_the_check_and_no_other(warehouse: Platform, loads: WarehouseLoads) -> None:
    span = "2019-01...2019-02"
    warehouse.run("green_tripdata", LAKE, TABLE, months=span)
    loads.ask("delete from `{}.green_tripdata` where filename = 'green_tripdata_2019-02.csv' and payment_type = 1")
    job = warehouse.definitions().resolve_implicit_global_asset_job_def()
    key = dg.AssetCheckKey(KEY, CHECK)
    result = job.get_subset(asset_selection=set(), asset_check_selection={key}).execute_in_process(
        instance=warehouse.instance,
        tags={
            "dagster/asset_partition_range_start": "2019-01",
            "dagster/asset_partition_range_end": "2019-02",
        },
        raise_on_error=False,
    )
    assert check_results(Run(result, warehouse.instance)) == {"2019-01": True, "2019-02": False}


# What starts runs


def test_a_schedules_run_loads_the_cloud_too_once_it_is_configured(
    warehouse: Platform, loads: WarehouseLoads, source: Published
) -> None:
    warehouse.use(TAXI_LAST_MONTH="2019-03")
    definitions = warehouse.definitions()
    with dg.build_schedule_context(
        warehouse.instance,
        scheduled_execution_time=datetime(2019, 5, 1, 9, tzinfo=timezone.utc),
        repository_def=definitions.get_repository_def(),
        resources={"raw_files": definitions.resources["raw_files"]},
    ) as context:
        answer = definitions.resolve_schedule_def("green_monthly_schedule").evaluate_tick(context)
    assert answer.run_requests
    (request,) = answer.run_requests
    run = warehouse.run_job("green_tripdata_job", request)
    assert run.succeeded, run.failure
    assert warehouse.recorded(TABLE) == warehouse.recorded(LAKE) == warehouse.recorded("green_tripdata") == {"2019-03"}
    assert counts(loads) == {"2019-03": warehouse.count("green_tripdata", "2019-03")} == {"2019-03": 30}
    assert check_results(run) == {"2019-03": True}


# Frames


def given(platform: Platform, kind: type, month: str | None = None, months: str | None = None) -> Any:
    """Return what an asset receives that asks for trips in BigQuery as this type."""
    received: list[Any] = []

    def body(context: dg.AssetExecutionContext, trips: Any) -> None:
        received.append(trips)

    body.__annotations__["trips"] = kind
    reader = dg.asset(
        name="reader",
        ins={"trips": dg.AssetIn(KEY, input_manager_key="bigquery")},
        partitions_def=platform.definitions().resolve_assets_def(KEY).partitions_def if month or months else None,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )(body)
    run = platform.run("reader", month=month, months=months, further=[reader])
    assert run.succeeded, run.failure
    return received[0]


def test_an_asset_gets_the_rows_of_its_months_as_the_type_that_it_asks_for(
    warehouse: Platform, loads: WarehouseLoads
) -> None:
    assert warehouse.run(LAKE, TABLE, months="2019-01...2019-03").succeeded
    frame = given(warehouse, pd.DataFrame, month="2019-02")
    assert set(frame["filename"]) == {"green_tripdata_2019-02.csv"}
    assert len(frame) == 20
    assert len(given(warehouse, pd.DataFrame, months="2019-02...2019-03")) == 50
    assert len(given(warehouse, pd.DataFrame)) == 60
    assert frame["lpep_pickup_datetime"].dtype == "datetime64[us]"
    assert (frame["fare_amount"].dtype, frame["passenger_count"].dtype) == ("float64", "Int64")
    assert list(frame.columns[:3]) == ["unique_row_id", "filename", "vendorid"]

    # Arrow: exact amounts and local times.
    table = given(warehouse, pa.Table, month="2019-01")
    assert table.num_rows == 10
    assert table.schema.field("lpep_pickup_datetime").type == pa.timestamp("us")
    assert pa.types.is_decimal(table.schema.field("fare_amount").type)
    assert sum(table["fare_amount"].to_pylist()) == sum(3 + Decimal(number) / 2 for number in range(10))

    # The same rows as in PostgreSQL.
    warehouse.run("green_tripdata", month="2019-01")
    query = "select unique_row_id, total_amount::text, lpep_pickup_datetime from green_tripdata order by 1"
    frame = given(warehouse, pd.DataFrame, month="2019-01").sort_values("unique_row_id")
    ours = [
        (one.unique_row_id, f"{one.total_amount:g}", one.lpep_pickup_datetime.to_pydatetime())
        for one in frame.itertuples()
    ]
    assert ours == warehouse.rows(query)

    # Any other type: a reference.
    reference = given(warehouse, object, month="2019-02")
    assert isinstance(reference, WarehouseReference)
    assert reference.query.endswith(".green_tripdata` WHERE file_month IN (DATE '2019-02-01')")
    assert len(list(loads.cloud.bigquery.query_and_wait(reference.query))) == 20
