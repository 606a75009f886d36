"""The resource that hands out raw files, and the I/O manager that keeps them in their folder."""

from collections.abc import Iterable
from pathlib import Path

import dagster as dg
from pydantic import Field

from taxi_platform.ledger.event_metadata import raw_metadata
from taxi_platform.orchestration.monthly_io import MonthlyIOManager, service_of_asset
from taxi_platform.sources.cache import RawFiles
from taxi_platform.sources.choose import source_named
from taxi_platform.sources.source import Source
from taxi_platform.sources.trip_files import TripFiles, Way
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


class RawFilesResource(dg.ConfigurableResource[RawFiles]):
    """The folder of raw files in front of their source."""

    source: str = Field(description="A URL template, a folder, or sample[:scale], as TAXI_SOURCE.")
    folder: str = Field(description="Where verified files are kept.")

    def store(self) -> RawFiles:
        """The files, as a domain object that knows nothing of Dagster.

        Raises:
            InvalidSetting: the source is of no kind that there is.
        """
        return RawFiles(Path(self.folder), source_named(self.source))

    def hurried_source(self) -> Source:
        """The source itself, for who only asks: a server is given up after seconds.

        Raises:
            InvalidSetting: it is of no kind that there is.
        """
        return source_named(self.source, hurried=True)

    def months(self, service: Service, keys: Iterable[str], way: Way = "kept") -> TripFiles:
        """The files of some partitions, none of them brought yet."""
        return TripFiles(self.store(), service, [Month.parse(key) for key in keys], way)

    def landed(self, service: Service, keys: Iterable[str], file: Source) -> TripFiles:
        """The file of a partition that was dropped into a landing place, to be kept in place of the source's."""
        store = RawFiles(Path(self.folder), file, landing=True)
        return TripFiles(store, service, [Month.parse(key) for key in keys], "forced")


class TripFilesIOManager(MonthlyIOManager):
    """Keeps verified files in the folder, and hands on references to them, never their rows.

    An input is ``TripFiles``, or, where it is annotated so and one month is asked for, that month's ``TripFile``.
    """

    raw_files: dg.ResourceDependency[RawFilesResource]

    def handle_output(self, context: dg.OutputContext, obj: TripFiles) -> None:
        """Fetch, verify and keep every month of the output."""
        self.store_months(context, obj, lambda month: raw_metadata(obj.fetch(month, context.log.info)))

    def load_input(self, context: dg.InputContext) -> TripFiles | TripFile:
        """References to the months that the asset asks for; absent ones are fetched when they are used."""
        service = service_of_asset(context)
        files = self.raw_files.months(service, context.asset_partition_keys)
        if context.dagster_type.typing_type is TripFile:
            (month,) = files.months
            return files.fetch(month, context.log.info).file
        return files
