"""What Dagster's UI shows of the tables in PostgreSQL, derived from the contracts."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from taxi_platform.ledger.raw_metadata import file_metadata
from taxi_platform.postgres import tables
from taxi_platform.postgres.loader import Loaded
from taxi_platform.trips import zones
from taxi_platform.trips.reading import TripFile
from taxi_platform.trips.services import Service


def column_schema(types: Mapping[str, str], descriptions: Mapping[str, str]) -> dg.TableSchema:
    """Columns with types and meanings, as the UI's column tab shows them."""
    return dg.TableSchema([dg.TableColumn(name, types[name], description=descriptions[name]) for name in types])


def trips_schema(service: Service) -> dg.TableSchema:
    """The columns of a service's table."""
    return column_schema(tables.column_types(service), tables.column_comments(service))


def zones_schema() -> dg.TableSchema:
    """The columns of the zone lookup."""
    types = {name: kind for name, (kind, _) in zones.COLUMNS.items()}
    return column_schema(types, {name: text for name, (_, text) in zones.COLUMNS.items()})


def relation(database: str, table: str) -> str:
    """A table's full name, e.g. ``ny_taxi.public.green_tripdata``."""
    return f"{database}.{table}"


def table_metadata(
    service: Service, file: TripFile, loaded: Loaded, *, database: str, rows_in_table: int
) -> dict[str, Any]:
    """The metadata of one month's materialization in its table."""
    return {
        **file_metadata(file),
        "rows_loaded": loaded.rows,
        "rows_rejected": loaded.rejected,
        "table": loaded.table,
        "partition_table": loaded.partition,
        "unchanged": loaded.unchanged,
        "seconds": round(loaded.seconds, 3),
        "rows_per_second": round(loaded.rows / loaded.seconds) if not loaded.unchanged else 0,
        "dagster/partition_row_count": loaded.rows,
        "dagster/row_count": rows_in_table,
        "dagster/relation_identifier": relation(database, loaded.table),
        "dagster/column_schema": trips_schema(service),
    }
