"""What the I/O managers of trips share: one month or a range in one run, each month stored and recorded separately.

Also how the platform's errors end a step, and which type an asset wants its input in. Where the bytes of a month go is
decided in ``trip_io`` and ``cloud_io``.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from taxi_platform.dagster_private import add_output_metadata
from taxi_platform.errors import TaxiError, missing_extras
from taxi_platform.ledger.event_metadata import PROGRESS, raw_metadata
from taxi_platform.ledger.events import latest_materialization
from taxi_platform.retries import MONTH_AGAIN, ONCE
from taxi_platform.sources.cache import TripFiles
from taxi_platform.trips.files import Transfer
from taxi_platform.trips.keys import checks_job, raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service, service_of_table

Metadata = Mapping[str, Any]


def store_months(
    context: dg.OutputContext, service: Service, months: Sequence[Month], store_month: Callable[[Month], Metadata]
) -> None:
    """Store the months in this order and record each with its own metadata. A bad month does not stop the others.

    When all months are stored, Dagster records them. When some fail, or the run is ended half-way, the good ones are
    recorded here; the run fails with the reason of each bad one.

    Months that fail for a transient reason are tried again here and not by Dagster, whose retry of a step would begin
    again with all months, and record as unchanged what this very run had loaded. Once all attempts for a month have
    failed, the months after it are tried only once, because they need the same server.

    When ``store_month`` raises a ``TaxiError``, what was there before is still there. It returns the month's metadata.

    Raises:
        dagster.Failure: names the months that could not be stored, each with its reason.
    """
    stored: dict[Month, Metadata] = {}
    failed: dict[str, str] = {}
    policy = MONTH_AGAIN
    try:
        for month in months:
            try:
                with missing_extras():
                    stored[month] = policy.run(
                        lambda month=month: store_month(month), subject=f"{service.name} {month}"
                    )
            except TaxiError as error:
                failed[str(month)] = str(error)
                context.log.error(str(error))
                policy = ONCE if error.transient else policy
                continue
            if len(months) > 1:  # so that the UI shows it before the run has ended
                progress = {name: stored[month][name] for name in PROGRESS if name in stored[month]}
                context.log_event(dg.AssetObservation(context.asset_key, partition=str(month), metadata=progress))
    except BaseException:  # the run is terminated, or fails in a way that no other month would survive either
        _record(context, stored)
        raise
    if failed:
        _record(context, stored)
        others = "one is" if len(stored) == 1 else f"{len(stored)} are"
        good = f" The other {others} in place and recorded." if stored else ""
        if stored and context.asset_key.path == [service.table]:
            good += f" Run their checks, which this run leaves out: dagster job execute -j {checks_job(service.table)}"
        reasons = "\n".join(f"{month}: {reason}" for month, reason in failed.items())
        raise dg.Failure(
            f"{len(failed)} of {len(months)} months of {service.name} failed.{good}\n{reasons}",
            metadata=failed,
            allow_retries=False,  # months that may succeed were tried again already
        )
    for month, metadata in stored.items():
        add_output_metadata(context, metadata, str(month))


def _record(context: dg.OutputContext, stored: Mapping[Month, Metadata]) -> None:
    """Record the months that are stored although the run as a whole does not succeed."""
    for month, metadata in stored.items():
        context.log_event(dg.AssetMaterialization(context.asset_key, partition=str(month), metadata=metadata))


def fetch_raw(context: dg.OutputContext, files: TripFiles, month: Month) -> Transfer:
    """Return the month's raw file, and record a materialization of the raw asset if it has another version by now.

    The file was fetched just now for this asset, or earlier by a run that was killed before it recorded the file.
    """
    fetched, key = files.fetch(month), raw_key(files.service.table)
    recorded = None if fetched.is_new else latest_materialization(context.step_context.instance, key, month)
    known, version = recorded and recorded.version, fetched.file.version
    if fetched.is_new or (known and (known.etag, known.modified) != (version.etag, version.modified)):
        metadata = raw_metadata(fetched)
        context.log_event(dg.AssetMaterialization(dg.AssetKey(key), partition=str(month), metadata=metadata))
    return fetched


@contextmanager
def errors_as_failures() -> Generator[None, None, None]:
    """Turn the platform's errors inside the block into the failure of the step, without a stack trace.

    Raises:
        dagster.Failure: its description is the error's text; retrying is allowed only where that can help.
    """
    try:
        with missing_extras():
            yield
    except TaxiError as error:
        raise dg.Failure(str(error), allow_retries=error.transient) from None


def wanted_type(context: dg.InputContext) -> str:
    """Return the annotation of an input, e.g. ``pandas.DataFrame``, by its name, so that nothing heavy is imported."""
    kind = context.dagster_type.typing_type
    return f"{getattr(kind, '__module__', '').partition('.')[0]}.{getattr(kind, '__name__', '')}"


def service_of_asset(context: dg.InputContext | dg.OutputContext) -> Service:
    """Return the service whose trips an asset holds; its key ends in the service's table or name."""
    name = context.asset_key.path[-1]
    return service_of_table(name) or SERVICES[name]
