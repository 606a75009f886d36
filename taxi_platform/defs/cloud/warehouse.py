"""One BigQuery table a service, loaded month by month from the lake."""

from dataclasses import replace

import dagster as dg
from pydantic import Field

from taxi_platform.bigquery.lake import LakeFiles
from taxi_platform.defs.cloud.lake import GROUP
from taxi_platform.defs.taxi.assets import OWNERS
from taxi_platform.defs.taxi.labelling import label_run
from taxi_platform.ledger.event_metadata import warehouse_schema
from taxi_platform.orchestration.links import trip_links
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.trips.keys import lake_key, warehouse_key
from taxi_platform.trips.services import SERVICES, Service


class WarehouseConfig(dg.Config):
    """How months are loaded from the lake."""

    force: bool = Field(False, description="Load a month even when the table holds its very file already.")
    newest_first: bool = Field(False, description="Begin with the last month of a range.")

    def applied_to(self, files: LakeFiles) -> LakeFiles:
        """The files as they are wanted, in the order in which they are wanted."""
        return replace(files, months=sorted(files.months, reverse=self.newest_first), force_load=self.force)


def warehouse_trips(service: Service) -> dg.AssetsDefinition:
    """The asset that is a service's table in BigQuery."""

    @dg.asset(
        key=dg.AssetKey(warehouse_key(service.table)),
        ins={"files": dg.AssetIn(dg.AssetKey(lake_key(service.table)), input_manager_key="gcs")},
        description=f"{service.description} One row a trip, in BigQuery; a row belongs to its file's month.",
        partitions_def=monthly_partitions(service),
        backfill_policy=dg.BackfillPolicy.single_run(),
        io_manager_key="bigquery",
        group_name=GROUP,
        kinds={"bigquery", "table"},
        owners=OWNERS,
        pool="bigquery",
        tags={"taxi": service.name},
        metadata={
            **trip_links(service, "cloud.md"),
            "dagster/column_schema": warehouse_schema(service),
        },
    )
    def table(context: dg.AssetExecutionContext, config: WarehouseConfig, files: LakeFiles) -> LakeFiles:
        label_run(context, service)
        return config.applied_to(files)

    return table


@dg.definitions
def warehouse() -> dg.Definitions:
    """The warehouse's assets of every service."""
    return dg.Definitions(assets=[warehouse_trips(service) for service in SERVICES.values()])
