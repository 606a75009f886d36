"""The I/O manager that loads months of trips from the lake into the warehouse, and reads tables of it."""

from typing import Any, cast

import dagster as dg
from pydantic import Field

from taxi_platform.bigquery import frames, schema
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.frames import WarehouseReference
from taxi_platform.bigquery.lake_files import LakeFiles
from taxi_platform.bigquery.loader import OnBadRows, load_month
from taxi_platform.bigquery.preflight import preflight
from taxi_platform.ledger.event_metadata import warehouse_metadata
from taxi_platform.orchestration.frame_inputs import wanted_form
from taxi_platform.orchestration.google_resource import CloudResource
from taxi_platform.orchestration.monthly_io import Metadata, MonthlyIOManager
from taxi_platform.orchestration.run_failures import told_to_dagster
from taxi_platform.postgres import tables as postgres
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import service_of_table

GIB = 1024**3


class WarehouseIOManager(MonthlyIOManager):
    """Loads ``LakeFiles`` month by month.

    An input is read as its annotation says: ``pandas.DataFrame`` or ``pyarrow.Table`` for the rows of the month, the
    range or the whole table, anything else for a ``WarehouseReference`` to them.
    """

    google: dg.ResourceDependency[CloudResource]
    on_bad_rows: str = Field(default="fail", description="fail, or quarantine bad rows among the rejects.")
    max_gib_billed: float = Field(default=10, description="What one statement may be billed for at most, in GiB.")

    def handle_output(self, context: dg.OutputContext, obj: LakeFiles) -> None:
        """Have the warehouse hold every month of the output; a month that it holds already is not loaded again."""
        with told_to_dagster():
            cloud = self.google.cloud()
            preflight(cloud, context.run_id, context.log.info)
        self.store_months(context, obj, lambda month: self._store(context, cloud, obj, month))

    def _store(self, context: dg.OutputContext, cloud: Cloud, files: LakeFiles, month: Month) -> Metadata:
        file = files.find(month, context.log.info)
        loaded = load_month(
            cloud,
            file,
            context.log.info,
            run=context.run_id.partition("-")[0],
            on_bad_rows=cast("OnBadRows", self.on_bad_rows),
            force=files.force_load,
            bytes_billed=self._bytes_billed,
        )
        done = "were there already" if loaded.unchanged else f"loaded in {loaded.seconds:.2f} s"
        context.log.info(f"{loaded.table}, {month}: {loaded.rows:,} rows, {loaded.rejected:,} rejected, {done}")
        return warehouse_metadata(files.service, file, loaded)

    def load_input(self, context: dg.InputContext) -> Any:
        """The rows that the asset asks for, as the type that it asks for."""
        with told_to_dagster():
            cloud = self.google.cloud()
            reference = _reference(context, cloud)
            wanted = wanted_form(context)
            if wanted == "pandas":
                return frames.read_pandas(cloud, reference, context.log.info, self._bytes_billed)
            if wanted == "arrow":
                return frames.read_arrow(cloud, reference, context.log.info, self._bytes_billed)
            return reference

    @property
    def _bytes_billed(self) -> int:
        return int(self.max_gib_billed * GIB)


def _reference(context: dg.InputContext, cloud: Cloud) -> WarehouseReference:
    name = context.asset_key.path[-1]
    table = f"{schema.dataset_of(cloud)}.{name}"
    service = service_of_table(name)
    if service is None:
        return WarehouseReference(table)
    months = [Month.parse(key) for key in context.asset_partition_keys] if context.has_asset_partitions else []
    return WarehouseReference(table, list(postgres.column_types(service)), months)
