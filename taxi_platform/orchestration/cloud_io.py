"""Google Cloud for Dagster: the resource, and the I/O managers of the lake and of the tables in BigQuery.

What they do with a month is decided in ``taxi_platform.bigquery``; how a run of many months goes on is in
``monthly_io``.
"""

from typing import Any, cast

import dagster as dg
from pydantic import Field

from taxi_platform.bigquery import frames
from taxi_platform.bigquery.clients import Cloud, cloud_named
from taxi_platform.bigquery.frames import WarehouseReference
from taxi_platform.bigquery.lake import Lake, LakeFiles
from taxi_platform.bigquery.loader import OnBadRows, load_month
from taxi_platform.bigquery.setup import preflight
from taxi_platform.bigquery.tables import dataset_of
from taxi_platform.ledger.event_metadata import lake_metadata, warehouse_metadata
from taxi_platform.orchestration.monthly_io import (
    Metadata,
    errors_as_failures,
    fetch_raw,
    service_of_asset,
    store_months,
    wanted_form,
)
from taxi_platform.sources.cache import TripFiles
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import column_comments, service_of_table

GIB = 1024**3


class CloudResource(dg.ConfigurableResource[Cloud]):
    """The project in Google Cloud, with the bucket of the lake and the dataset of the tables.

    Missing or wrong settings are reported when the resource is used, so that everything else works without them.
    """

    project_id: str = Field(default="", description="The project's id, as GCP_PROJECT_ID.")
    location: str = Field(default="", description="Where bucket and dataset are, as GCP_LOCATION.")
    bucket_name: str = Field(default="", description="The bucket of the lake, as GCP_BUCKET_NAME.")
    dataset: str = Field(default="", description="The dataset of the tables, as GCP_DATASET.")
    creds: str = Field(default="", description="A key, as GCP_CREDS; empty for application-default credentials.")
    storage_host: str = Field(default="", description="An emulator of Cloud Storage, as STORAGE_EMULATOR_HOST.")
    bigquery_host: str = Field(default="", description="An emulator of BigQuery, as BIGQUERY_EMULATOR_HOST.")

    def cloud(self) -> Cloud:
        """Return the project as an object that knows nothing of Dagster, without a request.

        Raises:
            CloudNotConfigured: settings are missing.
            InvalidSetting: Google does not accept a name.
        """
        return cloud_named(
            self.project_id,
            self.location,
            self.bucket_name,
            self.dataset,
            creds=self.creds,
            storage_host=self.storage_host,
            bigquery_host=self.bigquery_host,
        )


class LakeIOManager(dg.ConfigurableIOManager):
    """Uploads raw files month by month, and hands on references to the objects."""

    google: dg.ResourceDependency[CloudResource]

    def handle_output(self, context: dg.OutputContext, obj: TripFiles) -> None:
        """Upload every month of the output; a month that the lake holds already is not sent again."""
        with errors_as_failures():
            cloud = self.google.cloud()
            preflight(cloud, context.run_id)
        lake = Lake(cloud)

        def store(month: Month) -> Metadata:
            file = fetch_raw(context, obj, month).file
            return lake_metadata(lake.put(file, force=obj.force_load), cloud.project)

        store_months(context, obj, store)

    def load_input(self, context: dg.InputContext) -> LakeFiles:
        """Return references to the months that the asset asks for; each is looked up in the lake when it is used."""
        service = service_of_asset(context)
        with errors_as_failures():
            lake = Lake(self.google.cloud())
        return LakeFiles(lake, service, [Month.parse(key) for key in context.asset_partition_keys])


class WarehouseIOManager(dg.ConfigurableIOManager):
    """Loads ``LakeFiles`` into BigQuery month by month.

    An input is read as its annotation says: ``pandas.DataFrame`` or ``pyarrow.Table`` for the rows of the month, the
    range or the whole table, anything else for a ``WarehouseReference`` to them.
    """

    google: dg.ResourceDependency[CloudResource]
    on_bad_rows: str = Field(default="fail", description="fail, or quarantine bad rows among the rejects.")
    max_gib_billed: float = Field(default=10, description="What one statement may be billed for at most, in GiB.")

    def handle_output(self, context: dg.OutputContext, obj: LakeFiles) -> None:
        """Load every month of the output; a month that the table holds already is not loaded again."""
        with errors_as_failures():
            cloud = self.google.cloud()
            preflight(cloud, context.run_id)
        store_months(context, obj, lambda month: self._store(context, cloud, obj, month))

    def _store(self, context: dg.OutputContext, cloud: Cloud, files: LakeFiles, month: Month) -> Metadata:
        file = files.find(month)
        loaded = load_month(
            cloud,
            file,
            run=context.run_id.partition("-")[0],
            on_bad_rows=cast("OnBadRows", self.on_bad_rows),
            force=files.force_load,
            bytes_billed=self._bytes_billed,
        )
        how = "were there already" if loaded.unchanged else f"loaded in {loaded.seconds:.2f} s"
        context.log.info(f"{loaded.table}, {month}: {loaded.rows:,} rows, {loaded.rejected:,} rejected, {how}")
        return warehouse_metadata(files.service, file, loaded)

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the rows that the asset asks for, as the type that it asks for."""
        with errors_as_failures():
            cloud = self.google.cloud()
            reference = _reference(context, cloud)
            wanted = wanted_form(context)
            if wanted == "pandas":
                return frames.read_pandas(cloud, reference, self._bytes_billed)
            if wanted == "arrow":
                return frames.read_arrow(cloud, reference, self._bytes_billed)
            return reference

    @property
    def _bytes_billed(self) -> int:
        return int(self.max_gib_billed * GIB)


def _reference(context: dg.InputContext, cloud: Cloud) -> WarehouseReference:
    name = context.asset_key.path[-1]
    table = f"{dataset_of(cloud)}.{name}"
    service = service_of_table(name)
    if service is None:
        return WarehouseReference(table)
    months = [Month.parse(key) for key in context.asset_partition_keys] if context.has_asset_partitions else []
    return WarehouseReference(table, list(column_comments(service)), months)
