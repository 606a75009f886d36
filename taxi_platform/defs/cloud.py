"""Google Cloud: objects and BigQuery tables of each service, their checks, and the job that creates their places."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from taxi_platform.bigquery.frames import write_zones
from taxi_platform.bigquery.lake import LakeFiles
from taxi_platform.bigquery.setup import set_up
from taxi_platform.checks.results import CheckResult
from taxi_platform.checks.warehouses import SAME_IN_BOTH, compare_month
from taxi_platform.defs.trips import OWNERS, LoadConfig, follows_its_files, label_run, monthly_asset
from taxi_platform.ledger.event_metadata import file_schema, warehouse_schema, zones_schema
from taxi_platform.orchestration.check_results import Event, record_months, specs_of
from taxi_platform.orchestration.cloud_io import CloudResource
from taxi_platform.orchestration.links import RELEASES, TRIP_RECORDS, links
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.orchestration.trip_io import PostgresResource, RawFilesResource
from taxi_platform.settings import settings
from taxi_platform.sources.cache import TripFiles
from taxi_platform.trips import zones
from taxi_platform.trips.keys import lake_key, raw_key, warehouse_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

GROUP = "cloud"


def lake_trips(service: Service) -> dg.AssetsDefinition:
    """Define the asset of a service's objects in the lake."""

    @monthly_asset(
        service,
        lake_key(service.table),
        "cloud.md",
        file_schema(service),
        ins={"files": dg.AssetIn(dg.AssetKey(raw_key(service.table)), input_manager_key="trip_files")},
        description=f"{service.title} trips in Cloud Storage: the verified file of each month, byte for byte as "
        f"published, under `gs://GCP_BUCKET_NAME/raw/{service.name}/`. {service.description}",
        automation_condition=follows_its_files() if settings().has_cloud else None,
        io_manager_key="gcs",
        group_name=GROUP,
        kinds={"gcs", "csv"},
        pool="gcs",
    )
    def lake(context: dg.AssetExecutionContext, config: LoadConfig, files: TripFiles) -> TripFiles:
        label_run(context, service)
        return config.applied_to(files)

    return lake


def warehouse_trips(service: Service) -> dg.AssetsDefinition:
    """Define the asset of a service's table in BigQuery."""

    @monthly_asset(
        service,
        warehouse_key(service.table),
        "cloud.md",
        warehouse_schema(service),
        ins={"files": dg.AssetIn(dg.AssetKey(lake_key(service.table)), input_manager_key="gcs")},
        description=f"{service.description} One row a trip, in BigQuery; a row belongs to its file's month.",
        io_manager_key="bigquery",
        group_name=GROUP,
        kinds={"bigquery", "table"},
        pool="bigquery",
    )
    def table(context: dg.AssetExecutionContext, config: LoadConfig, files: LakeFiles) -> LakeFiles:
        label_run(context, service)
        return config.applied_to(files)

    return table


@dg.asset(
    key=["bigquery", zones.TABLE],
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
    """Write the TLC's 265 taxi zones to BigQuery: number, borough, name and who serves it."""
    with errors_as_failures():
        lookup = zones.read_zones(raw_files.cache().zones())
        table = write_zones(google.cloud(context.run.run_id), lookup)
    return dg.MaterializeResult(metadata={"table": table, "dagster/row_count": len(lookup)})


def warehouse_checks(service: Service) -> dg.AssetChecksDefinition:
    """Define the checks of a service's table in BigQuery, with one result per month."""
    asset = dg.AssetKey(warehouse_key(service.table))

    @dg.multi_asset_check(
        name=f"bigquery_{service.table}_checks",
        specs=specs_of(asset, [SAME_IN_BOTH], monthly_partitions(service)),
        description="Compares each month with PostgreSQL, where it is there too.",
        pool="bigquery",
    )
    def checks(
        context: dg.AssetCheckExecutionContext, google: CloudResource, database: PostgresResource
    ) -> Iterator[Event]:
        with errors_as_failures():
            cloud, url = google.cloud(context.run.run_id), database.address_if_used()

            def check(month: Month) -> list[CheckResult]:
                return [compare_month(cloud, url, service, month)]

            yield from record_months(context, asset, [Month.parse(key) for key in context.partition_keys], check)

    return checks


@dg.op(out=dg.Out(dg.Nothing))
def make_bucket_and_dataset(context: dg.OpExecutionContext, google: CloudResource) -> None:
    """Make the bucket and the dataset that the settings name, where they are missing."""
    with errors_as_failures():
        context.add_output_metadata(set_up(google.cloud(context.run.run_id)))


@dg.job
def gcp_setup() -> None:
    """Make the bucket and the dataset in Google Cloud that the settings name, where they are missing.

    Those that lie in another location are refused.
    """
    make_bucket_and_dataset()


@dg.definitions
def cloud() -> dg.Definitions:
    """Return the assets and checks of every service in Google Cloud, and the job ``gcp_setup``."""
    services = SERVICES.values()
    return dg.Definitions(
        assets=[*(make(service) for service in services for make in (lake_trips, warehouse_trips)), zone_lookup],
        asset_checks=[warehouse_checks(service) for service in services],
        jobs=[gcp_setup],
    )
