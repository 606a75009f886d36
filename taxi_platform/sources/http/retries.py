"""How often and after which pauses a server is asked again. What makes an answer a failure does not belong here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar, cast

from taxi_platform.errors import SourceUnreachable
from taxi_platform.sources.http.addresses import file_of, public
from taxi_platform.sources.source import Log

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")


class Interrupted(Exception):
    """One attempt failed, and another may succeed.

    Args:
        cause: what happened, as a clause.
        retry_after: the seconds that the server asks to be left alone, if it does.
        hopeless: another attempt would end the same way.
    """

    def __init__(self, cause: str, retry_after: float | None = None, *, hopeless: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry_after = retry_after
        self.hopeless = hopeless


@dataclass(frozen=True)
class Retries:
    """When to ask again, and when to give up. All times are seconds.

    Pauses double from ``first_wait`` to ``longest_wait``, with up to ``first_wait`` of jitter, so that the months of a
    range do not come back all at once. A longer ``Retry-After`` is obeyed up to ``longest_retry_after``; a server
    that wants to be left alone even longer is not asked again.

    Attributes:
        attempts: how often to ask in all. Six of them bridge half a minute, as long as a server needs to restart.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_retry_after: float = 120.0

    def run(self, attempt: Callable[[], Result], address: str, log: Log) -> Result:
        """The result of the first attempt that is not ``Interrupted``; one line in the log for each that is.

        Raises:
            SourceUnreachable: the last attempt was interrupted as well.
        """
        import tenacity  # loading the definitions shall not wait for it

        backoff = tenacity.wait_exponential(self.first_wait, self.longest_wait) + tenacity.wait_random(
            0, self.first_wait
        )

        def tell(state: "RetryCallState") -> None:
            wait = state.upcoming_sleep
            again = f"attempt {state.attempt_number + 1} of {self.attempts} in {wait:.1f} s"
            log(f"{file_of(address)}: {_failure(state).cause}; {again}")

        asking = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Interrupted),
            wait=lambda state: max(backoff(state), _failure(state).retry_after or 0),
            stop=lambda state: state.attempt_number >= self.attempts or self._gives_up(_failure(state)),
            before_sleep=tell,
            reraise=True,
        )
        try:
            return asking(attempt)
        except Interrupted as failure:
            raise self._unreachable(address, failure, asking.statistics["attempt_number"]) from failure

    def _gives_up(self, failure: Interrupted) -> bool:
        return failure.hopeless or (failure.retry_after or 0) > self.longest_retry_after

    def _unreachable(self, address: str, failure: Interrupted, attempts: int) -> SourceUnreachable:
        cause = failure.cause
        if (failure.retry_after or 0) > self.longest_retry_after:
            cause += f" and asks to be left alone for {failure.retry_after:,.0f} s"
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        error = SourceUnreachable(
            file_of(address),
            f"{public(address)} could not be read, after {times}: {cause}",
            "Check the connection and TAXI_SOURCE, and try again later; a download is resumed where it stopped.",
        )
        error.retry_after = failure.retry_after
        return error


def _failure(state: "RetryCallState") -> Interrupted:
    """The interruption that ended the latest attempt; tenacity asks only about attempts that had one."""
    return cast("Interrupted", state.outcome and state.outcome.exception())


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that ``Retry-After`` asks to wait, written as a number or as a date; none if it says nothing.

    A date is measured from the server's own ``Date``, which its clock wrote too; without one, from ``now``.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _moment(text)
    since = _moment(headers.get("Date", "")) or now or datetime.now(timezone.utc)
    return max(0.0, (until - since).total_seconds()) if until else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
