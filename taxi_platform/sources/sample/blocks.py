"""How a made-up file is cut into blocks that can be made one by one, and when the trips of each block begin.

Everything here is arithmetic on whole numbers, so that every machine gets the same. Slow to import, as numpy is.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from taxi_platform.sources.sample.clock import HOUR_SECONDS, Clock, clock_of
from taxi_platform.sources.sample.volumes import FIRST_YEAR, GENERATION, LAST_YEAR, unmetered_rows
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

Numbers = NDArray[np.int64]

BLOCK_ROWS = 30_000
ROWS_PER_STRAY = 15_000
STRAYS_PER_BLOCK = BLOCK_ROWS // ROWS_PER_STRAY
FEWEST_ROWS_FOR_A_STRAY = 1_000
MOST_ROWS = 200_000_000  # beyond it more trips begin in a minute than ``Part.ranks`` can tell apart plausibly

_GOLDEN = 618  # per mille
_PRIME = 7919  # shares no factor with the seconds of a day


class Part:
    """The rows of a file that are reported alike, spread over the hours of the month.

    Attributes:
        metered: whether meters reported them; the others carry whole minutes and no vendor.
        ranks: a power of two. No two rows that begin in the same second (minute, when not metered) have the same
            rank below it; a column that keeps the rank in its last bits makes all rows differ.
    """

    def __init__(self, *, metered: bool, rows: int, clock: Clock) -> None:
        self.metered = metered
        shares = list(accumulate(clock.weights, initial=0))
        starts = [share * rows // shares[-1] for share in shares]
        counts = [after - before for before, after in pairwise(starts)]
        at_once = max(counts) // (HOUR_SECONDS if metered else 60) + 3
        self.ranks = 1 << max(3, at_once.bit_length())
        self._first_hour = clock.start
        self._starts = np.array(starts, dtype=np.int64)
        self._counts = np.array(counts, dtype=np.int64)
        self._strides = np.array([_stride(count) for count in counts], dtype=np.int64)

    def times(self, first: int, last: int, chance: Numbers) -> tuple[Numbers, Numbers]:
        """When rows ``first`` to ``last`` begin, as moments of the clock, and their ranks.

        Hours follow each other; within an hour the rows are in no order, as in the published files.
        """
        rows = np.arange(first, last, dtype=np.int64)
        hour = np.searchsorted(self._starts, rows, side="right") - 1
        count = self._counts[hour]
        place = (rows - self._starts[hour]) * self._strides[hour] % count
        second = (place * HOUR_SECONDS + (chance * HOUR_SECONDS >> 16)) // count
        if not self.metered:
            second -= second % 60
        return (self._first_hour + hour) * HOUR_SECONDS + second, place & (self.ranks - 1)


@dataclass(frozen=True)
class Block:
    """Rows ``first`` to ``last`` of a part, the ``number``-th block of the file."""

    number: int
    part: Part
    first: int
    last: int

    @property
    def rows(self) -> int:
        """How many rows the block has."""
        return self.last - self.first


class Plan:
    """What every block of one file has in common.

    Raises:
        ValueError: ``rows`` is not from 1 to ``MOST_ROWS``, or the month is not from 2009 to 2099.
    """

    def __init__(self, service: Service, month: Month, rows: int) -> None:
        if not 1 <= rows <= MOST_ROWS:
            raise ValueError(f"a sample file has 1 to {MOST_ROWS:,} rows, not {rows:,}")
        if not FIRST_YEAR <= month.year <= LAST_YEAR:
            raise ValueError(f"a sample file is of a month from {FIRST_YEAR} to {LAST_YEAR}, not of {month}")
        self.service = service
        self.month = month
        self.rows = rows
        self.clock: Clock = clock_of(month)

    def blocks(self) -> Iterator[Block]:
        """The file's blocks in order: the metered trips, then those without a vendor."""
        unmetered = unmetered_rows(self.service, self.month, self.rows)
        number = 0
        for metered, rows in ((True, self.rows - unmetered), (False, unmetered)):
            if rows:
                part = Part(metered=metered, rows=rows, clock=self.clock)
                for first in range(0, rows, BLOCK_ROWS):
                    yield Block(number, part, first, min(rows, first + BLOCK_ROWS))
                    number += 1

    def chances(self, block: Block, columns: int) -> Numbers:
        """Random numbers from 0 to 65,535, ``columns`` for each row of a block, as ``[column, row]``.

        Raw output of a generator whose stream numpy promises to keep; its distributions may change between releases.
        """
        name = int.from_bytes(self.service.name.encode(), "big")
        seed = np.random.SeedSequence([GENERATION, name, self.month.year, self.month.month, block.number])
        raw: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(-(-columns * block.rows // 4))
        chances = np.frombuffer(raw.astype("<u8"), dtype="<u2", count=columns * block.rows)
        return np.reshape(chances.astype(np.int64), (columns, block.rows))

    def strays(self, block: Block, chance: Numbers) -> tuple[Numbers, Numbers]:
        """The rows of a block that begin on days outside the month, and when: one in 15,000, no two at one time.

        Only even rows, because odd ones may be the reversal of the row before.
        """
        count = block.rows // ROWS_PER_STRAY
        if block.number == 0 and self.rows >= FEWEST_ROWS_FOR_A_STRAY:
            count = max(1, count)
        number = np.arange(count, dtype=np.int64)
        room = min(block.rows, ROWS_PER_STRAY) // 2
        rows = number * ROWS_PER_STRAY + 2 * (chance[:count] * room >> 16)
        number += block.number * STRAYS_PER_BLOCK
        day = np.array(self.clock.strays, dtype=np.int64)[number % len(self.clock.strays)]
        return rows, day * HOUR_SECONDS + number * _PRIME % (24 * HOUR_SECONDS)


def _stride(count: int) -> int:
    """A step that visits each of ``count`` places once before it comes back, jumping about."""
    stride = max(1, count * _GOLDEN // 1000)
    while math.gcd(stride, count) > 1:
        stride += 1
    return stride
