"""A made-up service that is only a contract: all else follows from it, except dbt models and report panels."""

from functools import partial
from typing import cast

import dagster as dg
import pytest

from taxi_platform.assistant.knowledge import services_in
from taxi_platform.bigquery.tables import trip_fields
from taxi_platform.ledger.plan import parse_services
from taxi_platform.sources.sample import rows_of_month
from taxi_platform.trips.columns import Column
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, SampleProfile, Service
from taxi_platform_tests.support.asset_runs import Platform

_text = partial(Column, postgres="text", bigquery="STRING")
_time = partial(Column, postgres="timestamp", bigquery="TIMESTAMP", unit="local time in New York")
_dollars = partial(Column, postgres="double precision", bigquery="NUMERIC", unit="US dollars")

FERRY = Service(
    name="ferry",
    title="Ferry",
    description="Trips of ferries, which this test made up.",
    dictionary="boats",
    columns=(
        _text("VendorID", description="Who runs the ferry.", is_code=True),
        _time("Boarded_at", description="When the trip began."),
        _time("left_at", description="When the trip ended."),
        _text("PULocationID", description="Where the trip began.", is_code=True),
        _text("DOLocationID", description="Where the trip ended.", is_code=True),
        _dollars("fare_amount", description="The fare."),
        _dollars("total_amount", description="What was paid."),
        _text("deck", description="Which deck.", since=Month(2019, 6)),
    ),
    pickup="boarded_at",
    dropoff="left_at",
    identity=("vendorid", "boarded_at", "left_at", "pulocationid", "dolocationid", "fare_amount"),
    schedule_hour=13,
    colours=("#336699", "#99ccff"),
    sample=SampleProfile(thousands=(("2009-01", 2_000),)),
    words=("boat", "ferry boat"),
    first_month=Month(2018, 7),
    last_month=Month(2019, 12),
    overdue_days=10,
)
MARCH = Month(2019, 3)


@pytest.fixture
def ferries(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Return the platform with the ferries among its services."""
    monkeypatch.setitem(cast("dict[str, Service]", SERVICES), FERRY.name, FERRY)
    platform.use(TAXI_LAST_MONTH="")
    return platform


def test_it_has_assets_with_its_own_months_and_links(ferries: Platform) -> None:
    for place in ("raw/", "", "gcs/", "bigquery/"):
        asset = ferries.definitions().resolve_assets_def(dg.AssetKey.from_user_string(f"{place}ferry_tripdata"))
        assert asset.partitions_def is not None
        months = asset.partitions_def.get_partition_keys()
        assert (months[0], months[-1], len(months)) == ("2018-07", "2019-12", 18)
    (spec,) = ferries.definitions().resolve_assets_def(FERRY.table).specs
    assert spec.metadata["data dictionary"].value.endswith("data_dictionary_trip_records_boats.pdf")


def test_it_has_jobs_a_schedule_and_sensors_that_may_start_it(ferries: Platform) -> None:
    definitions = ferries.definitions()
    assert definitions.resolve_job_def("ferry_tripdata_job")
    assert definitions.resolve_job_def("ferry_tripdata_checks_job")
    schedule = definitions.resolve_schedule_def("ferry_monthly_schedule")
    assert (schedule.cron_schedule, schedule.job.name) == ("0 13 1 * *", "ferry_tripdata_job")
    for sensor in ("due_month_sensor", "new_month_sensor", "landing_sensor"):
        assert "ferry_tripdata_job" in [job.name for job in definitions.resolve_sensor_def(sensor).jobs]


def test_its_columns_determine_its_checks(ferries: Platform) -> None:
    keys = ferries.definitions().get_repository_def().asset_graph.asset_check_keys
    found = {key.name for key in keys if key.asset_key == dg.AssetKey(FERRY.table)}
    assert {"row_count_matches_file", "vendors_are_known", "last_finished_month_is_there"} <= found
    assert "same_in_both_warehouses" in {
        key.name for key in keys if key.asset_key == dg.AssetKey(["bigquery", FERRY.table])
    }


def test_a_made_up_month_is_loaded_checked_and_recorded(ferries: Platform) -> None:
    run = ferries.run(FERRY.table, month=str(MARCH))
    assert run.succeeded, run.failure
    assert ferries.count(FERRY.table) == rows_of_month(FERRY, MARCH, 0.001) > 1_000
    assert ferries.recorded(FERRY.table) == ferries.recorded(f"raw/{FERRY.table}") == {str(MARCH)}
    assert [name for name, result in run.checks(str(MARCH)).items() if not result.passed] == []
    assert not run.checks()["last_finished_month_is_there"].passed
    counted = "select count(distinct unique_row_id), count(distinct boarded_at::date) from ferry_tripdata"
    ((ids, days),) = ferries.rows(counted)
    assert ids == ferries.count(FERRY.table)
    assert days >= 31
    assert ferries.run(FERRY.table, month=str(MARCH)).of(FERRY.table, str(MARCH))["unchanged"]


@pytest.mark.usefixtures("ferries")
def test_it_is_recognised_in_arguments_questions_and_file_names() -> None:
    assert parse_services("ferry") == [FERRY]
    assert services_in("How many trips did the Ferry-boats, I mean boat trips, make?") == ["ferry"]
    assert parse_file_name("ferry_tripdata_2019-03.csv.gz") == (FERRY, MARCH)


def test_bigquery_gets_its_columns() -> None:
    assert {column.name for column in FERRY.columns} < {field.name for field in trip_fields(FERRY)}
