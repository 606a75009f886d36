"""Verdict: what one check says of one month, or of a service. How it is found and where it is recorded, others know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taxi_platform.trips.months import Month

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """A promise that is looked after.

    Attributes:
        name: what holds while it passes, e.g. ``row_count_matches_file``.
        promise: the same as a sentence for people.
        why: why its threshold is what it is, if it has one.
        blocks: whether nothing is built on a month that breaks it; else it warns.
    """

    name: str
    promise: str
    why: str = ""
    blocks: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        check: which check.
        passed: whether its promise holds.
        story: what was found, in a sentence or two.
        month: of which month; none where it is about all of them.
        numbers: what the story rests on, by name.
        query: the SQL that lists the rows in question, if there are any.
        sample: some of these rows.
    """

    check: Check
    passed: bool
    story: str
    month: Month | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    query: str = ""
    sample: Sequence[Row] = ()

    @property
    def blocks(self) -> bool:
        """Whether nothing may be built on the month."""
        return self.check.blocks and not self.passed
