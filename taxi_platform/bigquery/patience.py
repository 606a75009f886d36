"""How long Google is asked again, and after which pauses. What is worth another attempt is decided in ``answers``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxi_platform.bigquery.answers import meaning
from taxi_platform.errors import CloudUnavailable

if TYPE_CHECKING:
    from google.api_core.retry import Retry

Log = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """Bounds of the retries that Google's clients make, in seconds. Pauses double, with jitter.

    Attributes:
        first_wait: the first pause, on average.
        longest_wait: the longest pause.
        give_up_after: how long after the first attempt no further one is made; three minutes outlast the restart of a
            router.
        connect_timeout: until a connection must stand.
        read_timeout: how long Google may be silent.
    """

    first_wait: float = 1.0
    longest_wait: float = 30.0
    give_up_after: float = 180.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    @property
    def timeouts(self) -> tuple[float, float]:
        """As the storage client takes them."""
        return self.connect_timeout, self.read_timeout

    def retry(self, subject: str, log: Log) -> "Retry":
        """What a client's ``retry`` takes: one line in the log for each attempt that failed for now."""
        from google.api_core.retry import Retry

        def tell(error: Exception) -> None:
            failure = meaning(error, subject)
            log(f"{subject}: {failure.what if failure else error}; asking again")

        return Retry(
            predicate=lambda error: isinstance(meaning(error, subject), CloudUnavailable),
            initial=self.first_wait,
            maximum=self.longest_wait,
            multiplier=2.0,
            timeout=self.give_up_after,
            on_error=tell,
        )


PATIENT = Patience()
