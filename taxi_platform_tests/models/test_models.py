"""The rows of the models: every trip of the tables once, whatever it lacks, and the months' current content."""

import dagster as dg
import pytest

from taxi_platform.cli.dbt import run_dbt
from taxi_platform.trips.keys import MODELS_SCHEMA
from taxi_platform.trips.services import GREEN, SERVICES
from taxi_platform_tests.models.conftest import DIMENSIONS, MONTHLY, Models, green_march
from taxi_platform_tests.support.trip_texts import MARCH, rows

pytestmark = pytest.mark.database

COUNTS = f"select service, file_month::text, count(*) from {MODELS_SCHEMA}.fct_trips group by 1, 2 order by 1, 2"
FHV_COUNTS = f"select file_month::text, count(*) from {MODELS_SCHEMA}.fct_fhv_trips group by 1 order by 1"


def test_everything_is_built_and_every_test_passes_or_warns(models: Models) -> None:
    assert models.first is not None
    assert models.first.succeeded, models.first.failure
    for model in MONTHLY:
        assert models.first.months(model) == ["2019-03", "2019-04"]
    for model in DIMENSIONS:
        assert models.first.months(model) == [None]


def test_every_row_of_the_tables_is_a_trip_even_with_missing_values(models: Models) -> None:
    assert models.rows(COUNTS) == [
        ("green", "2019-03-01", 43),
        ("green", "2019-04-01", 10),
        ("yellow", "2019-03-01", 5),
        ("yellow", "2019-04-01", 30),
    ]
    assert models.rows(FHV_COUNTS) == [("2019-03-01", 23), ("2019-04-01", 4)]


def test_missing_values_of_trips_are_rows_of_the_dimensions(models: Models) -> None:
    unknown = f"""
        select vendor_name, rate_code_description, payment_type, payment_type_description, passenger_count
        from {MODELS_SCHEMA}.fct_trips join {MODELS_SCHEMA}.dim_vendors using (vendor_id)
        where vendor_id = -1 order by payment_type"""
    assert models.rows(unknown) == [
        ("Unknown", "Unknown", -1, "Unknown", None),
        ("Unknown", "Standard", 2, "Cash", 1),
    ]
    joined = f"""
        select count(*), count(*) filter (where up.zone = 'Unknown'), count(*) filter (where down.zone = 'Unknown')
        from {MODELS_SCHEMA}.fct_trips
        join {MODELS_SCHEMA}.dim_zones as up on up.location_id = pickup_location_id
        join {MODELS_SCHEMA}.dim_zones as down on down.location_id = dropoff_location_id"""
    assert models.rows(joined) == [(88, 1, 1)]


def test_a_trip_belongs_to_its_files_month_whatever_its_pickup_time(models: Models) -> None:
    stray = f"select file_month::text, filename from {MODELS_SCHEMA}.fct_trips where pickup_datetime >= '2041-01-01'"
    assert models.rows(stray) == [("2019-03-01", "green_tripdata_2019-03.csv")]


def test_trips_with_the_same_course_identifier_have_different_keys(models: Models) -> None:
    assert models.rows(f"select count(distinct trip_key), count(*) from {MODELS_SCHEMA}.fct_trips") == [(88, 88)]
    assert models.rows(f"select count(distinct trip_key), count(*) from {MODELS_SCHEMA}.fct_fhv_trips") == [(27, 27)]


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_staging_has_the_same_identifiers_as_the_tables(service, models: Models) -> None:
    different = f"""
        (select filename, unique_row_id from {service.table} except all
         select filename, unique_row_id from {MODELS_SCHEMA}.stg_{service.table})"""
    assert models.rows(different) == []
    assert models.rows(f"select count(*) > 0 from {MODELS_SCHEMA}.stg_{service.table}") == [(True,)]


def test_revenue_is_the_sum_of_the_trips(models: Models) -> None:
    sums = f"""
        select sum(trips), sum(total_amount)::numeric(12, 2),
            (select sum(total_amount)::numeric(12, 2) from {MODELS_SCHEMA}.fct_trips)
        from {MODELS_SCHEMA}.fct_monthly_zone_revenue"""
    ((trips, revenue, paid),) = models.rows(sums)
    assert (trips, revenue) == (88, paid)
    assert models.rows(
        f"select trips, pickup_zone from {MODELS_SCHEMA}.fct_monthly_zone_revenue where pickup_location_id = -1"
    ) == [(1, "Unknown")]


def test_each_month_has_its_row_count_and_column_lineage(models: Models) -> None:
    assert models.first is not None
    assert models.first.of("fct_trips", "2019-03")["dagster/partition_row_count"] == 48
    assert models.first.of("fct_trips", "2019-04")["dagster/partition_row_count"] == 40
    lineage = models.first.of("stg_green_tripdata", "2019-03")["dagster/column_lineage"]
    assert lineage.deps_by_column["vendor_id"] == [dg.TableColumnDep("green_tripdata", "vendorid")]


def test_in_a_range_each_month_has_the_result_of_every_check(models: Models) -> None:
    platform = models.platform
    for name in ("trip_keys_are_unique", "trips_are_as_many_as_in_the_tables"):
        key = dg.AssetCheckKey(dg.AssetKey("fct_trips"), name)
        found = platform.instance.event_log_storage.get_asset_check_execution_history(key, limit=20)
        results = [record.event.asset_check_evaluation for record in found if record.event]
        assert {"2019-03", "2019-04"} <= {result.partition for result in results if result}


def test_an_unknown_zone_is_a_warning_and_its_trip_stays(models: Models) -> None:
    key = dg.AssetCheckKey(dg.AssetKey("int_trips"), "pickup_zones_are_in_the_lookup")
    (record, *_) = models.platform.instance.event_log_storage.get_asset_check_execution_history(key, limit=20)
    assert record.event is not None
    evaluation = record.event.asset_check_evaluation
    assert evaluation is not None
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.metadata["dagster_dbt/failed_row_count"].value == 1


# The tests below change the models; each continues where the one before has ended.


def test_a_plain_build_of_dbt_takes_months_and_runs_the_unit_tests(
    models: Models, capfd: pytest.CaptureFixture[str]
) -> None:
    """Build fhv's March alone: April does not change, although its table has no rows any more."""
    models.platform.execute("alter table fhv_tripdata detach partition fhv_tripdata_2019_04")
    models_of_march = ["fct_fhv_trips", "fct_monthly_zone_revenue", "--vars", "{months: [2019-03]}"]
    assert run_dbt(["build", "--select", *models_of_march]) == 0
    assert "PASS=8" in capfd.readouterr().out  # two models, with four tests and one test, and a unit test
    assert models.rows(FHV_COUNTS) == [("2019-03-01", 23), ("2019-04-01", 4)]


@pytest.mark.parametrize("months", ["2019-03", "[2019-3]", "[201903]"])
def test_months_that_are_not_a_list_of_months_are_refused(
    models: Models, capfd: pytest.CaptureFixture[str], months: str
) -> None:
    assert run_dbt(["build", "--select", "fct_fhv_trips", "--vars", f"{{months: {months}}}"]) != 0
    assert "is not a list of months such as [2019-03, 2019-04]" in capfd.readouterr().out
    assert models.rows(FHV_COUNTS) == [("2019-03-01", 23), ("2019-04-01", 4)]


def test_tests_without_a_build_find_changes_since_the_build(models: Models, capfd: pytest.CaptureFixture[str]) -> None:
    trips = f"{MODELS_SCHEMA}.fct_fhv_trips"
    models.platform.execute(
        f"insert into {trips} select * from {trips} where file_month = '2019-03-01' limit 1",
        f"update {trips} set pickup_location_id = 999 where file_month = '2019-03-01'",
    )
    assert run_dbt(["test", "--select", "fct_fhv_trips", "--vars", "{months: [2019-03]}"]) != 0
    printed = capfd.readouterr().out
    assert "PASS=1 WARN=0 ERROR=3" in printed  # the test of drop-off zones passes
    for name in ("trip_keys_are_unique", "trips_are_as_many_as_in_the_table", "pickup_zones_are_in_dim_zones"):
        assert f"Failure in test fhv_{name}" in printed


def test_a_build_replaces_its_month_or_all_months_of_a_table_with_other_columns(models: Models) -> None:
    keys = f"select trip_key from {MODELS_SCHEMA}.fct_trips where service = 'green' and file_month = '2019-03-01'"
    before = set(models.rows(keys))
    april = models.rows(f"select max(ctid::text) from {MODELS_SCHEMA}.fct_trips_2019_04")
    models.publish(GREEN, {MARCH: [*reversed(green_march()), *rows(GREEN, 2, first=100)]})
    models.platform.execute(
        "alter table yellow_tripdata detach partition yellow_tripdata_2019_03",
        "alter table fhv_tripdata attach partition fhv_tripdata_2019_04 for values in ('fhv_tripdata_2019-04.csv')",
        f"alter table {MODELS_SCHEMA}.fct_fhv_trips drop column is_shared_ride",
    )
    run = models.build("fct_trips", "fct_fhv_trips", months="2019-03...2019-03")
    assert run.succeeded, run.failure
    # The changed month has all its rows, the old ones with their old keys; the detached month is gone.
    assert len(set(models.rows(keys))) == 45
    assert before < set(models.rows(keys))
    assert models.rows(COUNTS) == [
        ("green", "2019-03-01", 45),
        ("green", "2019-04-01", 10),
        ("yellow", "2019-04-01", 30),
    ]
    assert models.rows(f"select max(ctid::text) from {MODELS_SCHEMA}.fct_trips_2019_04") == april
    # The table that lacked a column was built again with all its months.
    assert models.rows(FHV_COUNTS) == [("2019-03-01", 23), ("2019-04-01", 4)]
    assert models.rows(f"select count(is_shared_ride) from {MODELS_SCHEMA}.fct_fhv_trips") == [(27,)]


def test_a_full_refresh_makes_a_missing_table_with_every_loaded_month(models: Models) -> None:
    models.platform.execute(f"drop table {MODELS_SCHEMA}.fct_fhv_trips")
    run = models.build("fct_fhv_trips", months="2019-03...2019-03", full_refresh=True)
    assert run.succeeded, run.failure
    assert models.rows(FHV_COUNTS) == [("2019-03-01", 23), ("2019-04-01", 4)]


def test_a_failed_test_skips_downstream_models_and_is_named(models: Models) -> None:
    with_error = f"create rule lost as on insert to {MODELS_SCHEMA}.fct_trips_2019_03 do instead nothing"
    models.platform.execute(f"delete from {MODELS_SCHEMA}.fct_trips_2019_03", with_error)
    before = models.rows(f"select count(*) from {MODELS_SCHEMA}.fct_monthly_zone_revenue")
    run = models.build("fct_trips", "fct_monthly_zone_revenue", months="2019-03...2019-03")
    assert not run.succeeded
    assert "trips_are_as_many_as_in_the_tables" in run.failure
    assert run.months("fct_trips") == ["2019-03"]
    assert run.months("fct_monthly_zone_revenue") == []
    assert models.rows(f"select count(*) from {MODELS_SCHEMA}.fct_monthly_zone_revenue") == before
