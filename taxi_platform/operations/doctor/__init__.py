"""``taxi doctor``: what is wrong with the machine, the servers and Dagster, and how to fix it. It changes nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from taxi_platform.errors import TaxiError
from taxi_platform.settings import Settings

State = Literal["ok", "warning", "problem"]
"""A problem stops something; a warning may be intended."""


@dataclass(frozen=True)
class Finding:
    """One result of a check."""

    state: State
    what: str  # a clause without a full stop
    advice: str = ""  # how to fix it, as a sentence


Examine = Callable[[Settings], Iterable[Finding]]
Diagnosis = Sequence[tuple[str, Sequence[Finding]]]
"""The findings by subject."""


def ok(what: str) -> Finding:
    """Return a finding that something is as it should be."""
    return Finding("ok", what)


def warning(what: str, advice: str) -> Finding:
    """Return a finding that may be intended, or not."""
    return Finding("warning", what, advice)


def problem(what: str, advice: str) -> Finding:
    """Return a finding that something will not work."""
    return Finding("problem", what, advice)


def problem_of(error: TaxiError) -> Finding:
    """Return an error of the platform as a problem."""
    return problem(f"{error.subject}: {error.what}", error.advice)
