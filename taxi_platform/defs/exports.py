"""The assets of exports: each service's loaded months as typed Parquet files for other engines."""

import dagster as dg

from taxi_platform.defs.automation import follows_its_files
from taxi_platform.defs.trips import OWNERS, label_run
from taxi_platform.ledger.event_metadata import trips_schema
from taxi_platform.orchestration.exports_io import LoadedMonths
from taxi_platform.orchestration.links import trip_links
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import settings
from taxi_platform.trips.keys import export_key, table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service


def exported_trips(service: Service) -> dg.AssetsDefinition:
    """Define the asset of a service's exports; where ``TAXI_EXPORTS`` is set, they follow every load."""

    @dg.asset(
        key=dg.AssetKey(export_key(service.name)),
        deps=[dg.AssetKey(table_key(service.table))],
        description=f"{service.title} trips as loaded: one typed Parquet file per month, for DuckDB, pandas or Spark.",
        partitions_def=monthly_partitions(service),
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=follows_its_files() if settings().exports else None,
        io_manager_key="exports",
        pool="postgres",
        group_name="exports",
        kinds={"parquet"},
        owners=OWNERS,
        tags={"taxi": service.name},
        metadata={**trip_links(service, "exports.md"), "dagster/column_schema": trips_schema(service)},
    )
    def exported(context: dg.AssetExecutionContext) -> LoadedMonths:
        label_run(context, service)
        return LoadedMonths(service, [Month.parse(key) for key in context.partition_keys])

    return exported


@dg.definitions
def exports() -> dg.Definitions:
    """Return the exports of every service."""
    return dg.Definitions(assets=[exported_trips(service) for service in SERVICES.values()])
