"""Google Cloud for Dagster: the resource, and the I/O managers of the lake and of the tables in BigQuery."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import dagster as dg

from taxi_platform.bigquery import frames
from taxi_platform.bigquery.clients import BY_HAND, Cloud, cloud_of
from taxi_platform.bigquery.frames import WarehouseReference
from taxi_platform.bigquery.lake import Lake, LakeFiles, NotInLake
from taxi_platform.bigquery.loader import load_month
from taxi_platform.bigquery.setup import preflight
from taxi_platform.bigquery.tables import dataset_of
from taxi_platform.ledger.event_metadata import lake_metadata, warehouse_metadata
from taxi_platform.orchestration.monthly_io import (
    Metadata,
    errors_as_failures,
    fetch_raw,
    service_of_asset,
    store_months,
    wanted_type,
)
from taxi_platform.orchestration.trip_io import RawFiles
from taxi_platform.settings import CloudSettings
from taxi_platform.sources.cache import TripFiles
from taxi_platform.trips.files import Transfer, TripFile
from taxi_platform.trips.keys import lake_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import column_comments, service_of_table


@dataclass(frozen=True)
class GoogleCloud:
    """The project in Google Cloud. Missing or wrong settings are reported when it is used."""

    settings: CloudSettings | None

    def cloud(self, run_id: str = BY_HAND) -> Cloud:
        """Return the project without a request; jobs are labelled with the run's id, shortened as the UI shows it."""
        return cloud_of(self.settings, run_id.partition("-")[0])

    def ready(self, context: dg.OutputContext) -> Cloud:
        """Return the project for a run, after its permissions and places were checked."""
        with errors_as_failures():
            cloud = self.cloud(context.run_id)
            preflight(cloud)
            return cloud


READERS = {"pandas.DataFrame": frames.read_pandas, "pyarrow.Table": frames.read_arrow}
CloudResource = dg.ResourceParam[GoogleCloud]


@dataclass(frozen=True)
class LakeIOManager(dg.IOManager):
    """Uploads raw files month by month, and hands on references to the objects."""

    google: GoogleCloud

    def handle_output(self, context: dg.OutputContext, obj: TripFiles) -> None:
        """Upload every month of the output; a month that the lake holds already is not sent again."""
        cloud = self.google.ready(context)

        def store(month: Month) -> Metadata:
            return lake_metadata(_upload(context, Lake(cloud), obj, month), cloud.project)

        store_months(context, obj.service, obj.months, store)

    def load_input(self, context: dg.InputContext) -> LakeFiles:
        """Return references to the months that the asset asks for; each is looked up in the lake when it is used."""
        service = service_of_asset(context)
        with errors_as_failures():
            lake = Lake(self.google.cloud())
        return LakeFiles(lake, service, [Month.parse(key) for key in context.asset_partition_keys])


def _upload(context: dg.OutputContext, lake: Lake, files: TripFiles, month: Month) -> Transfer:
    return lake.put(fetch_raw(context, files, month).file, force=files.force_load)


@dataclass(frozen=True)
class WarehouseIOManager(dg.IOManager):
    """Loads ``LakeFiles`` into BigQuery month by month; a month that the lake does not have is uploaded first.

    An input is read as its annotation says, as by the ``postgres`` I/O manager, else as a ``WarehouseReference``.
    """

    google: GoogleCloud
    raw_files: RawFiles
    max_bad_rows: float  # the share of a file's rows that are set aside instead of failing the month

    def handle_output(self, context: dg.OutputContext, obj: LakeFiles) -> None:
        """Load every month of the output; a month that the table holds already is not loaded again."""
        cloud = self.google.ready(context)
        store_months(context, obj.service, obj.months, lambda month: self._store(context, cloud, obj, month))

    def _store(self, context: dg.OutputContext, cloud: Cloud, files: LakeFiles, month: Month) -> Metadata:
        file = self._object(context, cloud, files, month)
        loaded = load_month(cloud, file, max_bad_rows=self.max_bad_rows, force=files.force_load)
        how = "were there already" if loaded.unchanged else f"loaded in {loaded.seconds:.2f} s"
        context.log.info(f"{loaded.table}, {month}: {loaded.rows:,} rows, {loaded.rejected:,} rejected, {how}")
        return warehouse_metadata(files.service, file, loaded)

    def _object(self, context: dg.OutputContext, cloud: Cloud, files: LakeFiles, month: Month) -> TripFile:
        """Return the month's object. Upload its raw file first if the lake lacks it or may have an older one."""
        ask_source = month in files.refresh
        with suppress(NotInLake):
            if not ask_source:
                return files.lake.find(files.service, month)
        raw = self.raw_files.months(files.service, [str(month)], "refresh" if ask_source else "cached")
        stored = _upload(context, files.lake, raw, month)
        if stored.is_new:
            lake = dg.AssetKey(lake_key(files.service.table))
            metadata = lake_metadata(stored, cloud.project)
            context.log_event(dg.AssetMaterialization(lake, partition=str(month), metadata=metadata))
        return stored.file

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the rows that the asset asks for, as the type that it asks for."""
        with errors_as_failures():
            cloud = self.google.cloud(_run_id(context))
            reference = _reference(context, cloud)
            read = READERS.get(wanted_type(context))
            return read(cloud, reference) if read else reference


def _run_id(context: dg.InputContext) -> str:
    try:
        return context.step_context.run_id
    except dg.DagsterInvariantViolationError:  # somebody loads the asset's value outside of a run
        return BY_HAND


def _reference(context: dg.InputContext, cloud: Cloud) -> WarehouseReference:
    name = context.asset_key.path[-1]
    table = f"{dataset_of(cloud)}.{name}"
    service = service_of_table(name)
    if service is None:
        return WarehouseReference(table)
    months = [Month.parse(key) for key in context.asset_partition_keys] if context.has_asset_partitions else []
    return WarehouseReference(table, list(column_comments(service)), months)
