"""All waiting for something outside of the platform: ``RetryPolicy`` and its instances, with their reasons.

Whether an error is worth another attempt is decided where the error is raised (``transient``).
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def sleep(seconds: float) -> None:
    """Wait. Tests replace this function, and with it every wait of the platform."""
    time.sleep(seconds)


def is_transient(error: BaseException) -> bool:
    """Return whether the error itself says that trying again without changing anything can help."""
    return bool(getattr(error, "transient", False))


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When to try again, and when to give up. All times are seconds.

    Waits grow by ``factor`` from ``first_wait`` to ``longest_wait``. Each is lengthened by up to ``jitter``, so that
    processes that failed together do not come back together. An error may carry ``retry_after``, the seconds that a
    server asks for: they are obeyed up to ``longest_retry_after``, and a server that asks for more is not asked again.
    """

    first_wait: float = 0.0
    longest_wait: float = 0.0
    attempts: int | None = None  # in all; None if only ``total`` limits them
    total: float | None = None  # after which no attempt begins; None if only ``attempts`` limits them
    factor: float = 2.0
    jitter: float = 0.0
    longest_retry_after: float = 0.0

    def run(
        self,
        action: Callable[[], Result],
        *,
        subject: str,
        is_transient: Callable[[BaseException], bool] = is_transient,
        silent: bool = False,
    ) -> Result:
        """Return the result of the first attempt that succeeds, and log each that does not.

        Raises the error of the last attempt, or the first error after which ``is_transient`` expects no success.
        The log names the ``subject``, and an error in full only once; with ``silent``, failed attempts are logged for
        debugging only.
        """
        import tenacity  # takes long to import, and is not needed to load the definitions

        logged = ""

        def log(state: "RetryCallState") -> None:
            nonlocal logged
            of = f" of {self.attempts}" if self.attempts else ""
            again = f"attempt {state.attempt_number + 1}{of} in {state.upcoming_sleep:.1f} s"
            what = str(getattr(_error(state), "what", _error(state)))  # our errors' texts have subject and advice
            level = logging.DEBUG if silent else logging.INFO
            logger.log(level, "%s: %s; %s", subject, "the same error" if what == logged else what, again)
            logged = what

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: is_transient(error) and self.obeys(error)),
            wait=lambda state: max(self._wait(state.attempt_number), _retry_after(_error(state))),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self.attempts) if self.attempts else tenacity.stop_never,
                tenacity.stop_never if self.total is None else tenacity.stop_after_delay(self.total),
            ),
            before_sleep=log,
            sleep=lambda seconds: sleep(seconds),
            reraise=True,
        )(action)

    def obeys(self, error: BaseException) -> bool:
        """Return whether the policy allows waiting for as long as the server that caused the error asks."""
        return _retry_after(error) <= self.longest_retry_after

    def wait_until(self, condition: Callable[[], bool], *, waiting_for: str = "") -> bool:
        """Poll until a condition holds or the time is over, and return whether it holds.

        This waits for somebody else to finish, which is not a failure: ``waiting_for`` is logged once.
        """
        deadline, polls = time.monotonic() + (math.inf if self.total is None else self.total), 1
        while not condition():
            if polls == 1 and waiting_for:
                logger.info(waiting_for)
            if time.monotonic() > deadline:
                return False
            sleep(self._wait(polls))
            polls += 1
        return True

    def _wait(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt; the first attempt has the number 1."""
        import random

        grown = self.first_wait * self.factor ** min(attempt - 1, 50)
        return min(grown, self.longest_wait) + random.uniform(0, self.jitter)  # noqa: S311


def _error(state: "RetryCallState") -> BaseException:
    """Return the error that ended the latest attempt; tenacity only waits after one."""
    return cast("BaseException", state.outcome and state.outcome.exception())


def _retry_after(error: BaseException) -> float:
    return getattr(error, "retry_after", None) or 0.0


# A file, or a page of an API. Six attempts bridge half a minute, as long as a server needs to restart.
DOWNLOAD = RetryPolicy(attempts=6, first_wait=1.0, longest_wait=30.0, jitter=1.0, longest_retry_after=120.0)
# A request that a person waits for, or one of hundreds: it survives one lost connection; an outage is reported.
METADATA = RetryPolicy(attempts=2, first_wait=0.5, longest_wait=1.0, jitter=0.5, longest_retry_after=1.0)
# A request with an alternative if it fails.
ONCE = RetryPolicy(attempts=1)
# A month that failed in a run: after 15 s a server has restarted, after 60 more a network is back or somebody has
# noticed. A server that asks for a pause is not asked again in that run.
MONTH_AGAIN = RetryPolicy(attempts=3, first_wait=15.0, longest_wait=60.0, factor=4.0)
# The lock of a month that another process loads: the largest month takes a minute or two.
MONTH_LOCK = RetryPolicy(first_wait=0.05, longest_wait=1.0, total=900.0)
# The swap of a month's partition, which readers' transactions hold up: they end within a quarter of an hour.
SWAP = RetryPolicy(first_wait=0.5, longest_wait=10.0, jitter=0.5, total=900.0)
# Another build of the models, or another run of a limited job: it ends when it is done, so the wait has no limit.
TURN = RetryPolicy(first_wait=0.05, longest_wait=1.0)
# A start or stop of the embedded server. After a crash it replays at most 4 GB of its log, which takes minutes.
EMBEDDED_SERVER = RetryPolicy(first_wait=0.02, longest_wait=0.05, total=600.0)
# The server of Dagster's state: long enough for its restart, short enough for a person who forgot to start it.
STATE_DATABASE = RetryPolicy(first_wait=0.5, longest_wait=0.5, total=10.0)
# A request to Google. Three minutes outlast the restart of a router.
GOOGLE = RetryPolicy(first_wait=1.0, longest_wait=30.0, jitter=1.0, total=180.0)
# A request of a sensor's tick, which Dagster ends after 60 seconds.
METADATA_OF_GOOGLE = RetryPolicy(first_wait=0.5, longest_wait=2.0, jitter=0.5, total=8.0)
# A BigQuery job that conflicted with another one, or that BigQuery ended early: after some seconds neither lasts.
JOB = RetryPolicy(attempts=5, first_wait=1.0, longest_wait=30.0, jitter=1.0)
# A request to the language model, for which a person waits: seven seconds of waits bridge an overload, no outage.
LANGUAGE_MODEL = RetryPolicy(attempts=4, first_wait=1.0, longest_wait=4.0, jitter=0.5)
# The progress of a backfill, which a person watches.
PROGRESS = RetryPolicy(first_wait=1.0, longest_wait=1.0)
# The end of a BigQuery job: the largest month takes a minute, and after an hour in a queue a job is given up.
JOB_END = RetryPolicy(first_wait=0.1, longest_wait=5.0, factor=1.5, total=3600.0)
