"""Trips on this machine and in PostgreSQL, for Dagster: the raw files, and the I/O managers of files, tables, exports.

Assets get the objects of this package by arguments such as ``raw_files: RawFilesResource``. They are plain objects made
from the settings and have no Dagster configuration, so that no run can redirect a folder, a file or an address.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from taxi_platform.ledger.event_metadata import raw_metadata, table_metadata
from taxi_platform.operations.exports import export_month, export_path
from taxi_platform.orchestration.monthly_io import (
    Metadata,
    errors_as_failures,
    fetch_raw,
    service_of_asset,
    store_months,
    wanted_type,
)
from taxi_platform.postgres import frames, tables
from taxi_platform.postgres.frames import Rows, TableReference
from taxi_platform.postgres.loader import load_month, rows_in_table
from taxi_platform.postgres.server import Server
from taxi_platform.sources.cache import Cache, FetchMode, TripFiles
from taxi_platform.sources.source import Source, source_named
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service, service_of_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class RawFiles:
    """The folder of verified raw files in front of their source."""

    source: str  # as ``TAXI_SOURCE``
    folder: Path  # where verified files are kept

    def cache(self) -> Cache:
        """Return the read-through cache of the source's files."""
        return Cache(self.folder, source_named(self.source))

    def source_with_short_timeouts(self) -> Source:
        """Return the source itself, for requests that only need metadata."""
        return source_named(self.source, short_timeouts=True)

    def months(self, service: Service, keys: Iterable[str], mode: FetchMode = "cached") -> TripFiles:
        """Return the files of some partitions, none of them fetched yet."""
        return TripFiles(self.cache(), service, [Month.parse(key) for key in keys], mode)

    def landed(self, service: Service, keys: Iterable[str], file: Source) -> TripFiles:
        """Return the file of a partition that was dropped into a landing place, to be kept instead of the source's."""
        cache = Cache(self.folder, file, landing=True)
        return TripFiles(cache, service, [Month.parse(key) for key in keys], "force")


READERS = {"pandas.DataFrame": frames.read_pandas, "pyarrow.Table": frames.read_arrow}
RawFilesResource = dg.ResourceParam[RawFiles]
PostgresResource = dg.ResourceParam[Server]


@dataclass(frozen=True)
class TripFilesIOManager(dg.IOManager):
    """Keeps verified files in the folder, and hands on references to them, never their rows.

    An input is ``TripFiles`` or, if it is annotated as ``TripFile`` and has one partition, that month's ``TripFile``.
    """

    raw_files: RawFiles

    def handle_output(self, context: dg.OutputContext, obj: TripFiles) -> None:
        """Fetch, verify and keep every month of the output."""
        store_months(context, obj.service, obj.months, lambda month: raw_metadata(obj.fetch(month)))

    def load_input(self, context: dg.InputContext) -> TripFiles | TripFile:
        """Return references to the months that the asset asks for; absent ones are fetched when they are used."""
        service = service_of_asset(context)
        files = self.raw_files.months(service, context.asset_partition_keys)
        if context.dagster_type.typing_type is TripFile:
            (month,) = files.months
            return files.fetch(month).file
        return files


@dataclass(frozen=True)
class PostgresIOManager(dg.IOManager):
    """Loads ``TripFiles`` month by month, and replaces whole small tables that come as rows, pandas or Arrow.

    An input is read as its annotation says: ``pandas.DataFrame`` or ``pyarrow.Table`` for the rows of the month, the
    range or the whole table, anything else for a ``TableReference`` to them.
    """

    postgres: Server
    max_bad_rows: float  # the share of a file's rows that are set aside instead of failing the month

    def handle_output(self, context: dg.OutputContext, obj: "TripFiles | Rows | pd.DataFrame | pa.Table") -> None:
        """Load the months of trips, or replace the small table that has the asset's name."""
        if isinstance(obj, TripFiles):
            store_months(context, obj.service, obj.months, lambda month: self._load_month(context, obj, month))
        else:
            with errors_as_failures():
                self._replace_table(context, obj)

    def _load_month(self, context: dg.OutputContext, files: TripFiles, month: Month) -> Metadata:
        """Load one verified file, unless the table holds it already."""
        fetched, url = fetch_raw(context, files, month), self.postgres.address()
        loaded = load_month(url, fetched.file, max_bad_rows=self.max_bad_rows, force=files.force_load)
        done = "was there already" if loaded.unchanged else f"loaded in {loaded.seconds:.2f} s"
        context.log.info(f"{loaded.partition}: {loaded.rows:,} rows, {loaded.rejected:,} rejected, {done}")
        database, count = frames.database_of(url), rows_in_table(url, files.service)
        return table_metadata(files.service, fetched.file, loaded, database=database, rows_in_table=count)

    def _replace_table(self, context: dg.OutputContext, obj: "Rows | pd.DataFrame | pa.Table") -> None:
        data = frames.as_small_table(obj)
        table = context.asset_key.path[-1]
        url = self.postgres.address()
        schema = cast("dg.TableSchema | None", context.definition_metadata.get("dagster/column_schema"))
        comments = {column.name: column.description or "" for column in schema.columns} if schema else {}
        frames.replace_table(url, table, data, context.asset_spec.description or "", comments)
        context.add_output_metadata(
            {
                "table": tables.qualified(table),
                "dagster/row_count": data.num_rows,
                "dagster/relation_identifier": f"{frames.database_of(url)}.{tables.qualified(table)}",
            }
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the rows of the asset's months, as the type of the input."""
        reference = self._reference(context)
        read = READERS.get(wanted_type(context))
        with errors_as_failures():
            return read(self.postgres.address(), reference) if read else reference

    def _reference(self, context: dg.InputContext) -> TableReference:
        table = context.asset_key.path[-1]
        service = service_of_table(table)
        if service is None or not context.has_asset_partitions:
            return TableReference(tables.qualified(table))
        months = map(Month.parse, context.asset_partition_keys)
        return TableReference(tables.qualified(table), [service.file_name(month) for month in months])


@dataclass(frozen=True)
class ExportsIOManager(dg.IOManager):
    """Writes months of a table as Parquet files, and hands on their paths."""

    postgres: Server
    place: str  # a folder, or an address that fsspec understands

    def handle_output(self, context: dg.OutputContext, obj: list[Month]) -> None:
        """Export every month of the output, each in the place of its earlier export."""
        service = service_of_asset(context)

        def store(month: Month) -> Metadata:
            exported = export_month(self.postgres.address(), service, month, self.place)
            context.log.info(f"{exported.uri}: {exported.rows:,} rows in {exported.seconds:.2f} s")
            return {
                "dagster/uri": exported.uri,
                "dagster/partition_row_count": exported.rows,
                "file_bytes": exported.bytes,
                "seconds": round(exported.seconds, 3),
            }

        store_months(context, service, obj, store)

    def load_input(self, context: dg.InputContext) -> list[str]:
        """Return the paths of the months that the asset asks for."""
        service = service_of_asset(context)
        return [f"{self.place}/{export_path(service, Month.parse(key))}" for key in context.asset_partition_keys]
