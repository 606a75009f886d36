"""The code location as Dagster loads it, in its own process: its content, its descriptions, and what it imports."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import PROJECT, settings
from taxi_platform.trips.services import FILENAME, SERVICES, column_comments
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.shell import UNSET

LOAD = """
from taxi_platform.definitions import defs
loaded = defs()
specs = {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}
repository = loaded.get_repository_def()
"""
DESCRIBE = """
import json, sys
from dagster import UrlMetadataValue as Url
def described(spec):
    partitions = spec.partitions_def and spec.partitions_def.get_partition_keys()
    schema = spec.metadata.get("dagster/column_schema")
    definition = loaded.resolve_assets_def(spec.key)
    return {
        "partitions": partitions and [len(partitions), partitions[0], partitions[-1]],
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "upstream": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "resources": sorted(definition.required_resource_keys),
        "policy": str(definition.backfill_policy and definition.backfill_policy.policy_type.name),
        "description": spec.description,
        "relation": spec.metadata.get("dagster/relation_identifier"),
        "links": {name: link.url for name, link in spec.metadata.items() if isinstance(link, Url)},
        "docs": getattr(spec.metadata.get("docs"), "path", None),
        "columns": schema and [[column.name, column.type, column.description] for column in schema.columns],
    }
jobs = [job for job in loaded.resolve_all_job_defs() if not job.name.startswith("__")]
print(json.dumps({
    "assets": {key: described(spec) for key, spec in specs.items()},
    "checks": sorted(key.to_user_string() for key in repository.asset_graph.asset_check_keys),
    "resources": sorted(loaded.resources),
    "jobs": sorted(job.name for job in jobs),
    "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
    "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    "undescribed": [
        one.name for one in [*jobs, *repository.schedule_defs, *repository.sensor_defs] if not one.description
    ],
    "modules": sorted(sys.modules),
}))
"""
STRICT = """
import warnings
import dagster as dg
for kind in (DeprecationWarning, dg.SupersessionWarning, dg.BetaWarning, dg.PreviewWarning):
    warnings.simplefilter("error", kind)
warnings.filterwarnings("ignore", "Parameter `backfill_policy` ", dg.BetaWarning)  # ranges in one run need it
# From a part of sqlglot that is only loaded where the models' manifest does not exist yet.
warnings.filterwarnings("ignore", "sqlglotrs is deprecated", DeprecationWarning)
"""
# Dagster silences its own warnings while it loads a folder of definitions, so each module is also loaded alone.
EACH = """
import importlib, pkgutil
from taxi_platform import defs as folder
makers = []
for found in pkgutil.walk_packages(folder.__path__, folder.__name__ + "."):
    module = importlib.import_module(found.name)
    makers += [thing for thing in vars(module).values() if type(thing).__name__ == "LazyDefinitions"]
for maker in makers:
    maker()
assert makers
"""
USES = """
from datetime import timedelta
for use in (
    lambda: dg.SourceAsset("old"),
    lambda: dg.build_last_update_freshness_checks(assets=[], lower_bound_delta=timedelta(1)),
    lambda: dg.MultiPartitionMapping({}),
    lambda: dg.asset_check(asset="a", partitions_def=dg.DailyPartitionsDefinition("2020-01-01"))(lambda: 1),
):
    try:
        use()
    except Warning as warning:
        print(type(warning).__name__)
"""
HEAVY = """
pandas pyarrow polars numpy psycopg requests apprise adbc_driver_postgresql duckdb dagster_duckdb dbt
altair vl_convert tabulate google.auth google.api_core google.cloud.storage google.cloud.bigquery google_crc32c bm25s
markdown_it google.genai starlette dagster_webserver"""

OF_EVERY_TABLE = {
    "row_count_matches_file",
    "file_is_the_raw_file",
    "columns_match_contract",
    "pickups_lie_in_month",
    "dropoffs_follow_pickups",
    "zones_are_known",
    "row_ids_are_unique",
    "volume_is_plausible",
    "no_column_is_ignored",
    "last_finished_month_is_there",
    "no_partition_is_left_failed",
}
OF_METERED_TRIPS = {"vendors_are_known", "totals_are_not_negative"}


def python(program: str, cold: bool = False, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in its own process with only these settings; a cold process imports everything itself."""
    return subprocess.run(
        [*([sys.executable] if cold else [*warm.client_of("dagster"), "python"]), "-c", program],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **UNSET, **settings},
        capture_output=True,
        text=True,
        timeout=180,
    )


def described(cold: bool = False, **settings: str) -> Mapping[str, Any]:
    done = python(LOAD + DESCRIBE, cold, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# group, kinds, upstream
OF_EVERY_SERVICE = {
    "raw/{}": ("trips", "csv", []),
    "{}": ("trips", "postgres table", ["raw/{}"]),
    "gcs/{}": ("cloud", "csv gcs", ["raw/{}"]),
    "bigquery/{}": ("cloud", "bigquery table", ["gcs/{}"]),
}
MODELS = {
    "stg_green_tripdata": ("view", ["green_tripdata"]),
    "stg_yellow_tripdata": ("view", ["yellow_tripdata"]),
    "stg_fhv_tripdata": ("view", ["fhv_tripdata"]),
    "stg_fhvhv_tripdata": ("view", ["fhvhv_tripdata"]),
    "int_trips": ("view", ["stg_green_tripdata", "stg_yellow_tripdata"]),
    "dim_zones": ("table", ["taxi_zone_lookup"]),
    "dim_vendors": ("table", ["vendors"]),
    "vendors": ("table", []),
    "rate_codes": ("table", []),
    "payment_types": ("table", []),
    "fct_trips": ("table", ["dim_vendors", "dim_zones", "int_trips", "payment_types", "rate_codes"]),
    "fct_fhv_trips": ("table", ["dim_zones", "stg_fhv_tripdata"]),
    "fct_fhvhv_trips": ("table", ["dim_zones", "stg_fhvhv_tripdata"]),
    "fct_monthly_zone_revenue": ("table", ["dim_zones", "fct_trips"]),
}
REPORTED = ["dim_zones", "fct_fhv_trips", "fct_fhvhv_trips", "fct_monthly_zone_revenue", "fct_trips"]
ALL_ASSETS = {
    **{
        key.format(service.table): (group, kinds, [name.format(service.table) for name in upstream])
        for service in SERVICES.values()
        for key, (group, kinds, upstream) in OF_EVERY_SERVICE.items()
    },
    **{f"exports/{service.name}": ("exports", "parquet", [service.table]) for service in SERVICES.values()},
    **{name: ("models", f"dbt postgres {kind}", upstream) for name, (kind, upstream) in MODELS.items()},
    **{
        f"bigquery/{name}": ("models_in_the_cloud", f"bigquery dbt {kind}", [f"bigquery/{key}" for key in upstream])
        for name, (kind, upstream) in MODELS.items()
    },
    "taxi_zone_lookup": ("zones", "postgres table", []),
    "bigquery/taxi_zone_lookup": ("cloud", "bigquery table", []),
    "monthly_report": ("reports", "altair html", REPORTED),
    "trips_report": ("reports", "altair html", REPORTED),
    "docker_image_pulls": ("docker_hub", "python", []),
    "release_notes": ("assistant", "duckdb markdown", []),
    "document_index": ("assistant", "duckdb gemini", ["release_notes"]),
    "answer_without_rag": ("assistant", "gemini", []),
    "answer_with_rag": ("assistant", "duckdb gemini", ["document_index"]),
    "products": ("getting_started", "json", []),
    "products_kept": ("getting_started", "duckdb pandas table", ["products"]),
    "average_price_by_brand": ("getting_started", "duckdb table", ["products_kept"]),
}
RESOURCES = """
assistant bigquery database dbt docker_hub duckdb_file exports gcs google google_bigquery google_storage io_manager
landing postgres product_file raw_files reports trip_files"""
JOBS = """
chat fhv_tripdata_checks_job fhv_tripdata_job fhvhv_tripdata_checks_job fhvhv_tripdata_job gcp_setup
green_tripdata_checks_job green_tripdata_job hello_world raw_purge_job run_retention_job upkeep_checks_job
yellow_tripdata_checks_job yellow_tripdata_job"""
SCHEDULES = """
fhv_monthly_schedule fhvhv_monthly_schedule green_monthly_schedule hello_world_schedule
raw_purge_schedule run_retention_schedule
upkeep_checks_schedule yellow_monthly_schedule"""
SENSORS = "due_month_sensor follow_upstream_sensor landing_sensor lost_retry_sensor new_month_sensor run_failure_alert"


def checks_of(location: Mapping[str, Any], *assets: str) -> list[str]:
    """Return the checks of some assets; those of the models are dbt's tests."""
    return [check for check in location["checks"] if check.split(":")[0] in assets]


@pytest.fixture(scope="module")
def location() -> Mapping[str, Any]:
    """Return the code location without any setting."""
    return described(cold=True)


def test_they_load_without_any_deprecated_superseded_beta_or_preview_part_of_dagster() -> None:
    done = python(STRICT + EACH + LOAD, cold=True)
    assert done.returncode == 0, done.stderr


def test_using_such_a_part_of_dagster_would_be_noticed() -> None:
    done = python(STRICT + USES)
    assert done.stdout.split() == ["DeprecationWarning", "SupersessionWarning", "BetaWarning", "PreviewWarning"]


def test_loading_them_imports_nothing_heavy(location: Mapping[str, Any]) -> None:
    assert set(HEAVY.split()) & set(location["modules"]) == set()


def test_the_code_location_contains_these_definitions_and_no_others(location: Mapping[str, Any]) -> None:
    shown = {
        key: (asset["group"], " ".join(asset["kinds"]), asset["upstream"]) for key, asset in location["assets"].items()
    }
    assert shown == ALL_ASSETS
    assert checks_of(location, *(f"bigquery/{service.table}" for service in SERVICES.values())) == [
        "bigquery/fhv_tripdata:same_in_both_warehouses",
        "bigquery/fhvhv_tripdata:same_in_both_warehouses",
        "bigquery/green_tripdata:same_in_both_warehouses",
        "bigquery/yellow_tripdata:same_in_both_warehouses",
    ]
    for table in ("fhv_tripdata", "fhvhv_tripdata"):
        assert checks_of(location, table) == sorted(f"{table}:{name}" for name in OF_EVERY_TABLE)
    for table in ("green_tripdata", "yellow_tripdata"):
        assert checks_of(location, table) == sorted(f"{table}:{name}" for name in OF_EVERY_TABLE | OF_METERED_TRIPS)
    expected = {"resources": RESOURCES, "jobs": JOBS, "schedules": SCHEDULES, "sensors": SENSORS}
    assert {kind: location[kind] for kind in expected} == {kind: names.split() for kind, names in expected.items()}


def test_each_asset_requires_the_resources_of_its_place_and_has_an_owner(location: Mapping[str, Any]) -> None:
    wanted = {key: asset["resources"] for key, asset in location["assets"].items()}
    for service in SERVICES.values():
        assert wanted[f"raw/{service.table}"] == ["landing", "raw_files", "trip_files"]
        assert wanted[service.table] == ["postgres", "trip_files"]
        assert wanted[f"gcs/{service.table}"] == ["gcs", "trip_files"]
        assert wanted[f"bigquery/{service.table}"] == ["bigquery", "gcs"]
    assert wanted["taxi_zone_lookup"] == ["postgres", "raw_files"]
    assert all(asset["owners"] == ["team:data-engineering"] for asset in location["assets"].values())


def test_every_asset_job_schedule_and_sensor_reads_like_documentation(location: Mapping[str, Any]) -> None:
    for key, asset in location["assets"].items():
        assert asset["group"] not in ("", "default"), key
        assert asset["kinds"], key
        assert asset["owners"], key
        assert len(asset["description"] or "") > 20, key
        assert all(url.startswith("https://") for url in asset["links"].values()), key
        assert asset["links"], key
        assert Path(asset["docs"]).is_file(), key
    assert location["undescribed"] == []


def test_trips_are_partitioned_by_the_months_of_the_source_and_a_range_is_one_run(location: Mapping[str, Any]) -> None:
    for service in SERVICES.values():
        for key in (service.table, *(f"{place}/{service.table}" for place in ("raw", "gcs", "bigquery"))):
            assert location["assets"][key]["partitions"] == [31, "2019-01", "2021-07"]
            assert location["assets"][key]["policy"] == "SINGLE_RUN"
    assert location["assets"]["taxi_zone_lookup"]["partitions"] is None


@pytest.mark.parametrize(
    ("values", "partitions"),
    [
        ({"TAXI_FIRST_MONTH": "2018-11"}, [33, "2018-11", "2021-07"]),
        ({"TAXI_LAST_MONTH": "2022-12"}, [48, "2019-01", "2022-12"]),
        ({"TAXI_FIRST_MONTH": "2020-02", "TAXI_LAST_MONTH": "2020-02"}, [1, "2020-02", "2020-02"]),
    ],
)
def test_the_first_and_the_last_month_are_settings(
    values: dict[str, str], partitions: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TAXI_FIRST_MONTH", "TAXI_LAST_MONTH"):
        monkeypatch.setenv(name, values.get(name, UNSET.get(name, "")))
    settings.cache_clear()
    for service in SERVICES.values():
        keys = monthly_partitions(service).get_partition_keys()
        assert [len(keys), keys[0], keys[-1]] == partitions
    settings.cache_clear()


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_table_shows_the_columns_types_and_meanings_of_its_contract(
    service: Any, location: Mapping[str, Any]
) -> None:
    shown = location["assets"][service.table]
    types = {"timestamp": "timestamp without time zone"}
    assert shown["columns"][2:] == [
        [column.source.lower(), types.get(column.postgres, column.postgres), column.documentation]
        for column in service.columns
    ]
    assert shown["columns"][:2] == [
        ["unique_row_id", "text", column_comments(service)["unique_row_id"]],
        ["filename", "text", FILENAME],
    ]
    assert service.description in shown["description"]
    assert shown["relation"] == f"ny_taxi.public.{service.table}"
    assert service.description in location["assets"][f"raw/{service.table}"]["description"]
