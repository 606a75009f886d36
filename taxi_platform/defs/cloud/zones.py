"""The zone lookup in BigQuery, which gives the trips' zone numbers their names there."""

from typing import Any

import dagster as dg

from taxi_platform.bigquery.frames import write_zones
from taxi_platform.defs.cloud.lake import GROUP
from taxi_platform.defs.taxi.assets import OWNERS
from taxi_platform.ledger.event_metadata import zones_schema
from taxi_platform.orchestration.cloud_io import CloudResource
from taxi_platform.orchestration.links import RELEASES, TRIP_RECORDS, links
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.trip_io import RawFilesResource
from taxi_platform.trips import zones


@dg.asset(
    key=["bigquery", zones.TABLE],
    description="The TLC's 265 taxi zones in BigQuery: number, borough, name and who serves it.",
    group_name=GROUP,
    kinds={"bigquery", "table"},
    owners=OWNERS,
    pool="bigquery",
    metadata={
        **links("cloud.md", source=RELEASES, published_by=TRIP_RECORDS),
        "dagster/column_schema": zones_schema(),
    },
)
def zone_lookup(
    context: dg.AssetExecutionContext, raw_files: RawFilesResource, google: CloudResource
) -> dg.MaterializeResult[Any]:
    """The TLC's taxi zones as the source has them now."""
    with errors_as_failures():
        cloud = google.cloud()
        found = zones.read_zones(raw_files.store().zones(context.log.info))
        table = write_zones(cloud, found)
    return dg.MaterializeResult(metadata={"table": table, "dagster/row_count": len(found)})
