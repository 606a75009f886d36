"""What the I/O managers of trips share: one month or a range in one run, each month stored and recorded by itself.

Also how the platform's errors end a step, and which form an asset wants its input in. Where the bytes of a month go is
decided in ``trip_io`` and ``cloud_io``.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal, Protocol

import dagster as dg

from taxi_platform.dagster_private import add_output_metadata
from taxi_platform.errors import TaxiError
from taxi_platform.ledger.event_metadata import PROGRESS, raw_metadata
from taxi_platform.retries import MONTH_AGAIN
from taxi_platform.sources.cache import TripFiles
from taxi_platform.trips.files import Transfer
from taxi_platform.trips.keys import raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service, service_of_table

Metadata = Mapping[str, Any]
Form = Literal["pandas", "arrow", "reference"]

_FRAMES: dict[str, Form] = {"pandas.DataFrame": "pandas", "pyarrow.Table": "arrow"}


class MonthlyFiles(Protocol):
    """What an asset of monthly trips returns: references to the files of some months, wherever they are."""

    @property
    def service(self) -> Service:
        """Whose trips they hold."""
        ...

    @property
    def months(self) -> Sequence[Month]:
        """Which months, in order."""
        ...


def store_months(context: dg.OutputContext, files: MonthlyFiles, store_month: Callable[[Month], Metadata]) -> None:
    """Store every month of an output and record each with its own metadata. A bad month does not stop the others.

    When all months are stored, Dagster records them. When some fail, or the run is ended half-way, the good ones are
    recorded here; the run fails with the reason of each bad one. In a range each month is also observed as soon as it
    is in place, so that one can see a long range move.

    Months that fail for a transient reason are tried again here and not by Dagster. Dagster's retry of a step would
    begin again with all months: it would ask the source about each of them once more, record as unchanged what this
    very run had loaded, and record nothing of it if it were terminated while it waits.

    Args:
        context: the output's.
        files: what the asset returned.
        store_month: brings one month to where it is kept and returns its metadata. When it raises a ``TaxiError``,
            what was there before is still there.

    Raises:
        dagster.Failure: names the months that could not be stored, each with its reason.
    """
    work = _Work(context, files, store_month)
    try:
        work.do()
    except BaseException:  # the run is terminated, or something is wrong that no other month would survive either
        work.record()
        raise
    if work.failed:
        work.record()
        raise work.failure()
    for month, metadata in work.stored.items():
        add_output_metadata(context, metadata, str(month))


def fetch_raw(context: dg.OutputContext, files: TripFiles, month: Month) -> Transfer:
    """Return the month's raw file; if it had to be fetched for this asset, record a materialization of the raw one."""
    fetched = files.fetch(month)
    if fetched.is_new:
        raw = dg.AssetKey(raw_key(files.service.table))
        context.log_event(dg.AssetMaterialization(raw, partition=str(month), metadata=raw_metadata(fetched)))
    return fetched


@contextmanager
def errors_as_failures() -> Generator[None, None, None]:
    """Turn the platform's errors inside the block into the failure of the step, without a stack trace.

    Raises:
        dagster.Failure: its description is the error's text; retrying is allowed only where that can help.
    """
    try:
        yield
    except TaxiError as error:
        raise dg.Failure(str(error), allow_retries=error.transient) from None


def wanted_form(context: dg.InputContext) -> Form:
    """Return the form that the annotation of an input asks for, by its name, so that nothing heavy is imported."""
    kind = context.dagster_type.typing_type
    module = getattr(kind, "__module__", "").partition(".")[0]
    return _FRAMES.get(f"{module}.{getattr(kind, '__name__', '')}", "reference")


def service_of_asset(context: dg.InputContext) -> Service:
    """Return the service whose trips an upstream asset holds.

    Raises:
        KeyError: the asset holds no trips.
    """
    table = context.asset_key.path[-1]
    service = service_of_table(table)
    if service is None:
        raise KeyError(table)
    return service


class _MayPass(Exception):
    """Months failed that may succeed later."""

    transient = True


class _Work:
    """The months of one output: which are in place, and why the others are not."""

    def __init__(
        self, context: dg.OutputContext, files: MonthlyFiles, store_month: Callable[[Month], Metadata]
    ) -> None:
        self._context = context
        self._files = files
        self._store_month = store_month
        self.stored: dict[Month, Metadata] = {}
        self.failed: dict[Month, TaxiError] = {}

    def do(self) -> None:
        """Store every month; those that fail for a reason that may pass, again after a wait."""
        with suppress(_MayPass):
            MONTH_AGAIN.run(self._try_months, subject=self._files.service.name)

    def record(self) -> None:
        """Record the months that are in place although the run as a whole does not succeed."""
        for month, metadata in self.stored.items():
            made = dg.AssetMaterialization(self._context.asset_key, partition=str(month), metadata=metadata)
            self._context.log_event(made)

    def failure(self) -> dg.Failure:
        """Return the failure of the step: the months that failed, each with its reason."""
        failed = {month: self.failed[month] for month in self._files.months if month in self.failed}
        reasons = "\n".join(f"{month}: {error}" for month, error in failed.items())
        good = f" The other {len(self.stored)} are in place and recorded." if self.stored else ""
        return dg.Failure(
            f"{len(failed)} of {len(self._files.months)} months of {self._files.service.name} failed.{good}\n{reasons}",
            metadata={str(month): str(error) for month, error in failed.items()},
            allow_retries=False,  # what may pass has had its time
        )

    def _try_months(self) -> None:
        """Try every month that was not tried yet or may succeed now.

        Raises:
            _MayPass: a month failed, and may succeed later.
        """
        is_first = not (self.stored or self.failed)
        for month in self._files.months if is_first else self._passing():
            self._try(month)
            if not is_first and month in self._passing():
                break  # it has not passed yet, and the other months would have to wait for the same answer
        if passing := self._passing():
            raise _MayPass(f"{', '.join(map(str, passing))} failed for a reason that may pass")

    def _passing(self) -> list[Month]:
        return [month for month, error in self.failed.items() if error.transient and MONTH_AGAIN.obeys(error)]

    def _try(self, month: Month) -> None:
        try:
            self.stored[month] = self._store_month(month)
        except TaxiError as error:
            self.failed[month] = error
            self._context.log.error(str(error))
            return
        self.failed.pop(month, None)
        if len(self._files.months) > 1:
            self._observe(month)

    def _observe(self, month: Month) -> None:
        """Show that a month of a range is in place, before the run has ended."""
        metadata = self.stored[month]
        seen = {name: metadata[name] for name in PROGRESS if name in metadata}
        self._context.log_event(dg.AssetObservation(self._context.asset_key, partition=str(month), metadata=seen))
