"""What the I/O managers of monthly trips share: one month or a range in one run, each month recorded for itself.

Where the bytes of a month go is each I/O manager's own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import dagster as dg

from taxi_platform.failures import TaxiError
from taxi_platform.months import Month
from taxi_platform.raw.file import Fetched
from taxi_platform.raw.metadata import raw_metadata
from taxi_platform.raw.trip_files import TripFiles
from taxi_platform.services import Service

Metadata = Mapping[str, Any]

PROGRESS = ("rows_in_file", "rows_loaded", "rows_rejected", "unchanged", "seconds")
"""What the observation of a month that is in place says of it; its materialization says the rest."""


class MonthlyFiles(Protocol):
    """What an asset of monthly trips returns: references to the files of some months, wherever they lie."""

    @property
    def service(self) -> Service:
        """Whose trips they hold."""
        ...

    @property
    def months(self) -> Sequence[Month]:
        """Which months, in order."""
        ...


class MonthlyIOManager(dg.ConfigurableIOManager):
    """Stores trips month by month. In a range, a bad month does not stop the others.

    When all months are stored, Dagster records them. When some fail, or the run is ended half-way, the good ones are
    recorded here; the run fails with the reason of each bad one, and only if one of them may pass by itself may it be
    retried. In a range each month is also observed as soon as it is in place, so that a long one is seen moving.
    """

    def store_months(
        self, context: dg.OutputContext, files: MonthlyFiles, store_month: Callable[[Month], Metadata]
    ) -> None:
        """Store every month of an output and record each with its own metadata.

        Args:
            context: the output's.
            files: what the asset returned.
            store_month: brings one month where it is kept and says what is to be known of it. When it raises a
                ``TaxiError``, what was there before is still there.

        Raises:
            dagster.Failure: names the months that could not be stored, each with its reason.
        """
        stored: dict[Month, Metadata] = {}
        failed: dict[Month, TaxiError] = {}
        try:
            for month in files.months:
                try:
                    stored[month] = store_month(month)
                except TaxiError as error:
                    failed[month] = error
                    context.log.error(str(error))
                    continue
                if len(files.months) > 1:
                    _observe(context, month, stored[month])
        except BaseException:  # the run is terminated, or something is wrong that no other month would survive either
            _record(context, stored)
            raise
        if failed:
            _record(context, stored)
            raise _failure(files, stored, failed)
        for month, metadata in stored.items():
            context.step_context.add_asset_metadata(metadata, context.asset_key, str(month))

    def fetch_raw(self, context: dg.OutputContext, files: TripFiles, month: Month) -> Fetched:
        """The month's raw file; when it had to be brought for this asset, that is a materialization of the raw one."""
        fetched = files.fetch(month, context.log.info)
        if fetched.is_new:
            raw = raw_key(files.service.table)
            context.log_event(dg.AssetMaterialization(raw, partition=str(month), metadata=raw_metadata(fetched)))
        return fetched


def raw_key(table: str) -> dg.AssetKey:
    """The key of the asset that is the verified file, e.g. ``raw/green_tripdata``."""
    return dg.AssetKey(["raw", table])


def _observe(context: dg.OutputContext, month: Month, metadata: Metadata) -> None:
    """Show that a month of a range is in place, before the run has ended."""
    seen = {name: metadata[name] for name in PROGRESS if name in metadata}
    context.log_event(dg.AssetObservation(context.asset_key, partition=str(month), metadata=seen))


def _record(context: dg.OutputContext, stored: Mapping[Month, Metadata]) -> None:
    """Record months that are in place although the run as a whole did not succeed."""
    for month, metadata in stored.items():
        context.log_event(dg.AssetMaterialization(context.asset_key, partition=str(month), metadata=metadata))


def _failure(files: MonthlyFiles, stored: Mapping[Month, Metadata], failed: Mapping[Month, TaxiError]) -> dg.Failure:
    reasons = "\n".join(f"{month}: {error}" for month, error in failed.items())
    good = f" The other {len(stored)} are in place and recorded." if stored else ""
    return dg.Failure(
        f"{len(failed)} of {len(files.months)} months of {files.service.name} failed.{good}\n{reasons}",
        metadata={str(month): str(error) for month, error in failed.items()},
        allow_retries=any(error.transient for error in failed.values()),
    )
