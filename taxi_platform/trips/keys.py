"""The names of everything that holds a service's trips: files, assets, schemas, checks. Pure.

Asset keys are tuples here, because nothing here imports Dagster: ``dg.AssetKey(raw_key(service.table))``.
"""

import re
from typing import Literal

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

Key = tuple[str, ...]
Destination = Literal["postgres", "bigquery"]
"""The databases that a month can be loaded into."""

MODELS_SCHEMA = "analytics"
"""The schema in PostgreSQL in which dbt builds its models."""

ROWS_CHECK = "row_count_matches_file"
FILE_CHECK = "file_is_the_raw_file"
COLUMNS_CHECK = "columns_match_contract"
BLOCKING_CHECKS = (ROWS_CHECK, FILE_CHECK, COLUMNS_CHECK)
"""The checks of a table that compare a month with its file: nothing is built on a month that fails one of them."""

_FILE = re.compile(r"(\w+)_tripdata_(\d{4}-\d{2})\.(?:csv|csv\.gz|parquet)", re.ASCII)


def parse_file_name(name: str) -> tuple[Service, Month] | None:
    """Return the service and month of ``green_tripdata_2019-03.csv``, ``.csv.gz`` or ``.parquet``; else None."""
    match = _FILE.fullmatch(name)
    if match is None or match[1] not in SERVICES:
        return None
    try:
        return SERVICES[match[1]], Month.parse(match[2])
    except ValueError:  # 2019-13
        return None


def stored_name(service: str, file: str) -> str:
    """Return the name under which Cloud Storage holds a file, e.g. ``raw/green/green_tripdata_2019-03.csv.gz``."""
    return f"raw/{service}/{file}"


def raw_key(table: str) -> Key:
    """Return the key of the asset that is the verified files, e.g. ``raw/green_tripdata``."""
    return ("raw", table)


def table_key(table: str) -> Key:
    """Return the key of the asset that is the table in PostgreSQL, e.g. ``green_tripdata``."""
    return (table,)


def lake_key(table: str) -> Key:
    """Return the key of the asset that is the objects in Cloud Storage, e.g. ``gcs/green_tripdata``."""
    return ("gcs", table)


def warehouse_key(table: str) -> Key:
    """Return the key of the asset that is the table in BigQuery, e.g. ``bigquery/green_tripdata``."""
    return ("bigquery", table)


def export_key(service: str) -> Key:
    """Return the key of the asset that is a service's exported Parquet files, e.g. ``exports/green``."""
    return ("exports", service)


def destination_key(table: str, destination: Destination) -> Key:
    """Return the key of the asset that is a service's table in PostgreSQL or in BigQuery."""
    return table_key(table) if destination == "postgres" else warehouse_key(table)


def assets_of(table: str, *, cloud: bool) -> list[Key]:
    """Return the keys of all assets that a month of a service is loaded into, those of Google Cloud if ``cloud``."""
    local = [raw_key(table), table_key(table)]
    return [*local, lake_key(table), warehouse_key(table)] if cloud else local


def checks_job(table: str) -> str:
    """Return the name of the job that checks months of a table again, e.g. ``green_tripdata_checks_job``."""
    return f"{table}_checks_job"
