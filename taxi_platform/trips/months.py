"""Calendar months: parsing, arithmetic and ranges. Nothing here reads a clock, a file or the environment."""

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True, order=True)
class Month:
    """One calendar month. Months sort by time and print as their partition key, ``2019-03``."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.year <= 9999 and 1 <= self.month <= 12):
            raise ValueError(f"there is no month {self.year:04d}-{self.month:02d}")

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Return the month written ``YYYY-MM``, or raise ``ValueError``."""
        match = _MONTH.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a month: write YYYY-MM, e.g. 2019-03")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def days(self) -> int:
        """How many days it has."""
        return monthrange(self.year, self.month)[1]

    def plus(self, months: int) -> "Month":
        """Return the month that lies ``months`` later, or earlier when negative."""
        years, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(years, month + 1)

    def through(self, last: "Month") -> Iterator["Month"]:
        """Yield every month from this one to ``last``, both included; none when ``last`` is earlier."""
        for offset in range((last.year - self.year) * 12 + last.month - self.month + 1):
            yield self.plus(offset)


def ranges(months: Iterable[Month]) -> list[tuple[Month, Month]]:
    """Group months into ranges without a gap, each given by its first and last month, in order."""
    found: list[tuple[Month, Month]] = []
    for month in sorted(set(months)):
        if found and found[-1][1].plus(1) == month:
            found[-1] = (found[-1][0], month)
        else:
            found.append((month, month))
    return found


def spans(months: Iterable[Month]) -> str:
    """Spell months as people write them: ``2019-01..2019-03, 2019-06``."""
    return ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in ranges(months))
