"""A check and its result, for one month or for a service. How it is computed or recorded does not belong here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taxi_platform.trips.months import Month

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """A promise that is checked."""

    name: str  # what holds while it passes, e.g. ``row_count_matches_file``
    promise: str  # the same as a sentence for people
    why: str = ""  # why its threshold is what it is, if it has one
    blocks: bool = False  # whether nothing is built on a month that breaks it; otherwise it warns


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check."""

    check: Check
    passed: bool
    description: str  # the outcome in a sentence or two
    month: Month | None = None  # None where the check is about a whole service
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])  # those behind the description, by name
    query: str = ""  # the SQL that lists the rows in question, if there are any
    sample: Sequence[Row] = ()  # some of these rows

    @property
    def blocks(self) -> bool:
        """Whether nothing may be built on the month."""
        return self.check.blocks and not self.passed
