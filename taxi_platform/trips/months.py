"""Calendar months: parsing, arithmetic, ranges and the names that files and partitions take from them.

Pure: nothing here reads a clock, a file or the environment.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

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
        """The month written ``YYYY-MM``.

        Raises:
            ValueError: the text is not four digits, a dash and a month from 01 to 12.
        """
        match = _MONTH.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a month: write YYYY-MM, e.g. 2019-03")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def plus(self, months: int) -> "Month":
        """The month that lies ``months`` later, or earlier when negative."""
        years, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(years, month + 1)

    def through(self, last: "Month") -> Iterator["Month"]:
        """Every month from this one to ``last``, both included; none when ``last`` is earlier."""
        for offset in range((last.year - self.year) * 12 + last.month - self.month + 1):
            yield self.plus(offset)


def file_name(service: str, month: Month) -> str:
    """The course's name for a month's uncompressed file, e.g. ``green_tripdata_2019-03.csv``."""
    return f"{service}_tripdata_{month}.csv"


def partition_table(service: str, month: Month) -> str:
    """The name of the table that holds one month, e.g. ``green_tripdata_2019_03``."""
    return f"{service}_tripdata_{month.year:04d}_{month.month:02d}"
