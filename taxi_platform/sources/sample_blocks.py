"""The blocks of a made-up file: which rows each has, when their trips begin and end, and the chances of each row.

What stands in the other columns belongs in ``sample_trips``.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taxi_platform.sources.sample import GENERATION, figure_at
from taxi_platform.sources.sample_tables import Luck, Numbers, Texts, apply_luck, hour_texts, texts_of_kind
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

BLOCK_ROWS = 30_000
ROWS_PER_STRAY = 15_000
FEWEST_ROWS_FOR_A_STRAY = 1_000

HOUR, DAY = 3600, 24 * 3600
MONDAY = 72  # hours to add to those since 1970, a Thursday, to count from a Monday
# Trips that begin in each hour of the day, compared with the others.
_WEEKDAY = (20, 12, 8, 6, 7, 12, 26, 46, 57, 54, 51, 52, 55, 55, 59, 61, 57, 66, 76, 74, 67, 63, 56, 38)
_WEEKEND = (56, 48, 38, 27, 17, 9, 11, 15, 24, 36, 46, 53, 58, 58, 58, 58, 57, 60, 65, 62, 55, 55, 58, 52)
_BUSY = np.array((*_WEEKDAY * 5, *_WEEKEND * 2))


class Part:
    """The rows of a file that are reported alike, spread over the hours of the month.

    Attributes:
        metered: whether meters reported them; without one, trips carry whole minutes and no vendor.
        ranks: a power of two. No two rows that begin in the same second (minute, when not metered) have the same
            rank below it; a column that keeps the rank in its last bits makes all rows differ.
    """

    def __init__(self, file: "SampleFile", rows: int, *, metered: bool) -> None:
        self.metered = metered
        self._first_hour = file.first_hour
        shares = np.cumsum(file.weights)
        ends = shares * rows // shares[-1]
        self._starts = np.concatenate(([0], ends[:-1]))
        self._counts = ends - self._starts
        self._strides = np.array([_stride(count) for count in self._counts.tolist()])
        at_once = int(self._counts.max()) // (HOUR if metered else 60) + 3
        self.ranks = 1 << max(3, at_once.bit_length())

    def times(self, first: int, last: int, chance: Numbers) -> tuple[Numbers, Numbers]:
        """Return when rows ``first`` to ``last`` begin, in seconds since 1970, and their ranks.

        Hours follow each other; within an hour the rows are in no order, as in the published files.
        """
        rows = np.arange(first, last, dtype=np.int64)
        hour = np.searchsorted(self._starts, rows, side="right") - 1
        count = self._counts[hour]
        place = (rows - self._starts[hour]) * self._strides[hour] % count
        second = (place * HOUR + (chance * HOUR >> 16)) // count
        if not self.metered:
            second -= second % 60
        return (self._first_hour + hour) * HOUR + second, place & (self.ranks - 1)


@dataclass(frozen=True)
class Block:
    """Rows ``first`` to ``last`` of a part, the ``number``-th block of the file."""

    number: int
    part: Part
    first: int
    last: int

    @property
    def rows(self) -> int:
        """The number of its rows."""
        return self.last - self.first


class SampleFile:
    """What every block of one file has in common."""

    def __init__(self, service: Service, month: Month, rows: int) -> None:
        self.service, self.month, self.rows = service, month, rows
        self.columns = service.columns_of(month)
        first = day_number(f"{month}-01")
        days = month.days
        self.first_hour = first * 24
        self.weights = busy(self.first_hour + np.arange(days * 24))
        # Clocks that are wrong, late or early: the days outside the month on which some pickups are dated.
        wrong = {*map(day_number, ("2008-12-31", "2009-01-01", "2041-08-17")), first - 1, first - 11, first + days}
        self.stray_days = np.array(sorted(wrong - set(range(first, first + days))))
        self._text_hour = (first - 12) * 24
        self._hours = hour_texts(self._text_hour + np.arange((days + 16) * 24))

    def blocks(self) -> Iterator[Block]:
        """Yield the file's blocks in order: the metered trips, then those without a vendor."""
        unmetered = self.rows * figure_at(self.service.sample.unmetered, self.month) // 1000
        number = 0
        for metered, rows in ((True, self.rows - unmetered), (False, unmetered)):
            if rows:
                part = Part(self, rows, metered=metered)
                for first in range(0, rows, BLOCK_ROWS):
                    yield Block(number, part, first, min(rows, first + BLOCK_ROWS))
                    number += 1

    def chances(self, block: Block, columns: int) -> Numbers:
        """Return random numbers from 0 to 65,535 as ``[column, row]``, ``columns`` for each row of a block.

        They are raw output of the generator, because its distributions may change between releases of numpy.
        """
        name = int.from_bytes(self.service.name.encode(), "big")
        seed = np.random.SeedSequence([GENERATION, name, self.month.year, self.month.month, block.number])
        raw: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(-(-columns * block.rows // 4))
        chances = np.frombuffer(raw.astype("<u8"), dtype="<u2", count=columns * block.rows)
        return np.reshape(chances.astype(np.int64), (columns, block.rows))

    def ends(self, block: Block, start: Numbers, seconds: Numbers, luck: Numbers) -> Numbers:
        """Move some pickups out of the month, and return when all trips end, some of them long after or before.

        One pickup in 15,000 is moved, no two to the same second, and in even rows only, because an odd row may be the
        reversal of the row before.
        """
        count = block.rows // ROWS_PER_STRAY
        if block.number == 0 and self.rows >= FEWEST_ROWS_FOR_A_STRAY:
            count = max(1, count)
        number = np.arange(count, dtype=np.int64)
        room = min(block.rows, ROWS_PER_STRAY) // 2
        rows = number * ROWS_PER_STRAY + 2 * (luck[:count] * room >> 16)
        number += block.number * (BLOCK_ROWS // ROWS_PER_STRAY)
        # 7919 shares no factor with the seconds of a day.
        start[rows] = self.stray_days[number % len(self.stray_days)] * DAY + number * 7919 % DAY
        apply_luck(seconds, luck, Luck.DAY_LONG, seconds + DAY)
        apply_luck(seconds, luck, Luck.BACKWARDS, -1 - seconds)
        return start + seconds

    def time_texts(self, moments: Numbers) -> list[tuple[Texts, Numbers]]:
        """Return tables, and which of their texts to join for each moment: ``2019-03-01 00:`` and ``59:59``."""
        hour = moments // HOUR
        index, hours = hour - self._text_hour, self._hours
        far = np.flatnonzero((index < 0) | (index >= len(hours)))
        if far.size:
            index[far] = len(hours) + np.arange(far.size)
            hours = np.concatenate([hours, hour_texts(hour[far])])
        return [(hours, index), (texts_of_kind("59:59"), moments - hour * HOUR)]


def busy(hours: Numbers) -> Numbers:
    """Return how many trips begin in each of these hours since 1970, compared with the others."""
    return _BUSY[(hours + MONDAY) % len(_BUSY)]


def day_number(day: str) -> int:
    """Return the days from 1970-01-01 to a day written ``YYYY-MM-DD``."""
    return int(np.datetime64(day, "D").astype(np.int64))


def _stride(count: int) -> int:
    """Return a step that visits each of ``count`` places once before it comes back, jumping about."""
    first = max(1, count * 618 // 1000)
    return next(stride for stride in itertools.count(first) if math.gcd(stride, count) == 1)
