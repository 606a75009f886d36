"""What Dagster's UI shows of the tables in BigQuery, derived from the contracts."""

from typing import Any

import dagster as dg

from taxi_platform.bigquery.lake_file import LakeFile
from taxi_platform.bigquery.loader import Loaded
from taxi_platform.bigquery.schema import trip_fields
from taxi_platform.ledger.raw_metadata import file_metadata
from taxi_platform.trips.services import Service


def trips_schema(service: Service) -> dg.TableSchema:
    """The columns of a service's table."""
    return dg.TableSchema(
        [dg.TableColumn(field.name, field.kind, description=field.description) for field in trip_fields(service)]
    )


def table_metadata(service: Service, file: LakeFile, loaded: Loaded) -> dict[str, Any]:
    """The metadata of one month's materialization in the warehouse."""
    jobs = loaded.jobs
    replacing = jobs.get("replace")
    return {
        **file_metadata(file),
        "rows_loaded": loaded.rows,
        "rows_rejected": loaded.rejected,
        "table": loaded.table,
        "object": file.uri,
        "generation": str(file.generation),
        "unchanged": loaded.unchanged,
        "line_by_line": loaded.line_by_line,
        "seconds": round(loaded.seconds, 3),
        "rows_per_second": round(loaded.rows / loaded.seconds) if not loaded.unchanged else 0,
        "bytes_processed": sum(spent.bytes_processed for spent in jobs.values()),
        "slot_ms": sum(spent.slot_ms for spent in jobs.values()),
        **{f"{step}_seconds": round(spent.seconds, 3) for step, spent in jobs.items()},
        **({"job": dg.MetadataValue.url(replacing.link), "job_id": replacing.job} if replacing else {}),
        "dagster/partition_row_count": loaded.rows,
        "dagster/relation_identifier": loaded.table,
        "dagster/column_schema": trips_schema(service),
    }
