"""The zone lookup, which gives the trips' zone numbers their names."""

import dagster as dg

from taxi_platform.ledger.event_metadata import relation, zones_schema
from taxi_platform.orchestration.links import RELEASES, TRIP_RECORDS, links
from taxi_platform.orchestration.trip_io import RawFilesResource
from taxi_platform.postgres import tables
from taxi_platform.trips import zones


@dg.asset(
    description="The TLC's 265 taxi zones: number, borough, name and who serves it.",
    io_manager_key="postgres",
    pool="postgres",
    group_name="zones",
    kinds={"postgres", "table"},
    owners=["team:data-engineering"],
    metadata={
        **links("loading.md", source=RELEASES, published_by=TRIP_RECORDS),
        "dagster/column_schema": zones_schema(),
        "dagster/relation_identifier": relation("ny_taxi", tables.qualified(zones.TABLE)),
    },
)
def taxi_zone_lookup(context: dg.AssetExecutionContext, raw_files: RawFilesResource):
    """The TLC's taxi zones as the source has them now."""
    return zones.read_zones(raw_files.store().zones(context.log.info))
