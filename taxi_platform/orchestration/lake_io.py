"""The I/O manager that keeps verified files in the lake."""

import dagster as dg

from taxi_platform.bigquery.lake_files import LakeFiles
from taxi_platform.bigquery.lake_store import Lake
from taxi_platform.bigquery.preflight import preflight
from taxi_platform.ledger.event_metadata import lake_metadata
from taxi_platform.orchestration.google_resource import CloudResource
from taxi_platform.orchestration.monthly_io import Metadata, MonthlyIOManager, service_of_asset
from taxi_platform.orchestration.run_failures import told_to_dagster
from taxi_platform.sources.trip_files import TripFiles
from taxi_platform.trips.months import Month


class LakeIOManager(MonthlyIOManager):
    """Uploads raw files month by month, and hands on references to the objects."""

    google: dg.ResourceDependency[CloudResource]

    def handle_output(self, context: dg.OutputContext, obj: TripFiles) -> None:
        """Have the lake hold every month of the output; a month that it holds already is not sent again."""
        with told_to_dagster():
            cloud = self.google.cloud()
            preflight(cloud, context.run_id, context.log.info)
        lake = Lake(cloud)

        def store(month: Month) -> Metadata:
            file = self.fetch_raw(context, obj, month).file
            return lake_metadata(lake.put(file, context.log.info, force=obj.force_load), cloud.project)

        self.store_months(context, obj, store)

    def load_input(self, context: dg.InputContext) -> LakeFiles:
        """References to the months that the asset asks for; each is looked for in the lake when it is used."""
        service = service_of_asset(context)
        with told_to_dagster():
            lake = Lake(self.google.cloud())
        return LakeFiles(lake, service, [Month.parse(key) for key in context.asset_partition_keys])
