"""One object a service and month in Cloud Storage, made of the verified file."""

import dagster as dg

from taxi_platform.defs.taxi.assets import OWNERS, LoadConfig
from taxi_platform.defs.taxi.automation import follows_its_files
from taxi_platform.defs.taxi.labelling import label_run
from taxi_platform.ledger.event_metadata import file_schema
from taxi_platform.orchestration.links import trip_links
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import settings
from taxi_platform.sources.trip_files import TripFiles
from taxi_platform.trips.keys import lake_key, raw_key
from taxi_platform.trips.services import SERVICES, Service

GROUP = "cloud"


def lake_trips(service: Service) -> dg.AssetsDefinition:
    """The asset that is a service's objects in the lake."""

    @dg.asset(
        key=dg.AssetKey(lake_key(service.table)),
        ins={"files": dg.AssetIn(dg.AssetKey(raw_key(service.table)), input_manager_key="trip_files")},
        description=f"{service.title} trips in Cloud Storage: the verified file of each month, byte for byte as "
        f"published, under `gs://GCP_BUCKET_NAME/raw/{service.name}/`. {service.description}",
        partitions_def=monthly_partitions(service),
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=follows_its_files() if settings().has_cloud else None,
        io_manager_key="gcs",
        group_name=GROUP,
        kinds={"gcs", "csv"},
        owners=OWNERS,
        pool="gcs",
        tags={"taxi": service.name},
        metadata={**trip_links(service, "cloud.md"), "dagster/column_schema": file_schema(service)},
    )
    def lake(context: dg.AssetExecutionContext, config: LoadConfig, files: TripFiles) -> TripFiles:
        label_run(context, service)
        return config.applied_to(files)

    return lake


@dg.definitions
def lake() -> dg.Definitions:
    """The lake's assets of every service."""
    return dg.Definitions(assets=[lake_trips(service) for service in SERVICES.values()])
