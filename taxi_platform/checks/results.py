"""A check and its result, for one month or for a service. How it is computed or recorded does not belong here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taxi_platform.trips.months import Month

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """A promise that is checked.

    Attributes:
        name: what holds while it passes, e.g. ``row_count_matches_file``.
        promise: the same as a sentence for people.
        why: why its threshold is what it is, if it has one.
        blocks: whether nothing is built on a month that breaks it; otherwise it warns.
    """

    name: str
    promise: str
    why: str = ""
    blocks: bool = False


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        check: which check.
        passed: whether its promise holds.
        description: the outcome in a sentence or two.
        month: the month that was checked; None where the check is about a whole service.
        numbers: the numbers behind the description, by name.
        query: the SQL that lists the rows in question, if there are any.
        sample: some of these rows.
    """

    check: Check
    passed: bool
    description: str
    month: Month | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    query: str = ""
    sample: Sequence[Row] = ()

    @property
    def blocks(self) -> bool:
        """Whether nothing may be built on the month."""
        return self.check.blocks and not self.passed
