"""The facts of one month on which every verdict rests. How they are gathered does not belong here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from taxi_platform.checks.results import Row
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.months import Month


@dataclass(frozen=True)
class MonthFacts:
    """One month as it is in its table.

    Attributes:
        month: which month.
        columns: the columns of its table with their types, in order; none when there is no such table.
        record: the database's load record, read in the same snapshot as the counts; None if there is none.
        raw: what is known of its raw file, if anything is.
        rows: the rows that were counted in it.
        rejected: the records that are among the rejects instead.
        broken: how many rows break each rule, by check; without a rule that could not be asked.
        samples: some of these rows, by check.
        no_zone: how many rows lack a zone number, and how many name an unknown place (264, 265).
        unknown: what was said of an unknown zone, in SQL for people.
        rows_before: the rows of the month before, if that is loaded.
    """

    month: Month
    columns: Sequence[tuple[str, str]] = ()
    record: LoadRecord | None = None
    raw: FileFacts | None = None
    rows: int = 0
    rejected: int = 0
    broken: Mapping[str, int] = field(default_factory=dict[str, int])
    samples: Mapping[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])
    no_zone: Mapping[str, int] = field(default_factory=dict[str, int])
    unknown: str = ""
    rows_before: int | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is a table of the month."""
        return bool(self.columns)
