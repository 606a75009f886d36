"""How a step tells Dagster of the platform's own errors: in one sentence, and not as a crash of the code."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from taxi_platform.errors import TaxiError


@contextmanager
def told_to_dagster() -> Generator[None, None, None]:
    """Turn the platform's errors inside the block into the failure of the step.

    Raises:
        dagster.Failure: its description is the error's text; retrying is allowed only where that can help.
    """
    try:
        yield
    except TaxiError as error:
        raise dg.Failure(str(error), allow_retries=error.transient) from None
