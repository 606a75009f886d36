"""The I/O manager of exports, which records where each month is. ``operations/exports`` writes the files."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from taxi_platform.errors import missing_extras
from taxi_platform.operations.exports import export_month, file_of
from taxi_platform.orchestration.monthly_io import Metadata, service_of_asset, store_months
from taxi_platform.postgres.server import Server
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


@dataclass(frozen=True)
class LoadedMonths:
    """Months of a service that are to be exported."""

    service: Service
    months: Sequence[Month]


@dataclass(frozen=True)
class ExportsIOManager(dg.IOManager):
    """Writes months of a table as Parquet files, and hands on their paths."""

    postgres: Server
    place: str  # a folder, or an address that fsspec understands

    def handle_output(self, context: dg.OutputContext, obj: LoadedMonths) -> None:
        """Export every month of the output, each in the place of its earlier export."""

        def store(month: Month) -> Metadata:
            with missing_extras():
                exported = export_month(self.postgres.address(), obj.service, month, self.place)
            context.log.info(f"{exported.uri}: {exported.rows:,} rows in {exported.seconds:.2f} s")
            return {
                "dagster/uri": exported.uri,
                "dagster/partition_row_count": exported.rows,
                "file_bytes": exported.bytes,
                "seconds": round(exported.seconds, 3),
            }

        store_months(context, obj, store)

    def load_input(self, context: dg.InputContext) -> list[str]:
        """Return the paths of the months that the asset asks for."""
        service = service_of_asset(context)
        return [f"{self.place}/{file_of(service, Month.parse(key))}" for key in context.asset_partition_keys]
