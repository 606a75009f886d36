"""What chance decides about made-up trips: how often each item is drawn, and what seldom befalls a row.

A chance is a whole number below 65,536; tables turn it into an item by its share. Which columns the items fill does
not belong here (see ``trips``). Slow to import, as numpy is.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from taxi_platform.sources.sample.blocks import Block, Numbers, Plan
from taxi_platform.sources.sample.clock import HOUR_SECONDS
from taxi_platform.sources.sample.texts import BASES, ZONES

# What befalls a row: exclusive ranges of its luck, which is one chance.
REVERSED = range(0, 500)  # repeats the row before with negative amounts; odd rows only, so about 1 in 260
DAY_LONG = range(500, 570)
BACKWARDS = range(570, 573)  # ends before it begins
OUTLYING = range(573, 576)  # has travelled around the Earth
PLAINLY_SPELLED = range(576, 900)  # 7 for 7.00 miles
UNMOVED = range(900, 2_600)  # .00 miles
UNEXPLAINED = range(2_600, 2_665)  # total_amount is not the sum of its parts
EXPENSIVE = range(2_665, 2_668)  # a fare of 200 to 803 dollars
UNKNOWN_RATE = range(2_668, 2_690)  # RatecodeID 99
WITHOUT_BASE = range(2_690, 2_693)  # a for-hire vehicle's trip

_ENTRIES = 4096  # of a table that spreads items by their shares; 12 bits of chance choose one
_MOST_HUNDREDTHS = 4000  # of a mile

_MEDIAN_HUNDREDTHS = {"yellow": 165, "green": 190, "fhv": 250}
_ZONE_ORDER = {"yellow": 89, "green": 331, "fhv": 577}  # which zones are popular: any numbers will do
_TOLL_SHARES = {0: 3860, 612: 200, 1224: 14, 280: 12, 229: 6, 1375: 2, 576: 1, 1836: 1}  # by cents


def befall(numbers: Numbers, luck: Numbers, odds: range, result: Numbers | int) -> None:
    """Replace the numbers of the rows whose luck lies in ``odds``."""
    np.copyto(numbers, result, where=(luck >= odds.start) & (luck < odds.stop))


def stray_and_end(plan: Plan, block: Block, start: Numbers, seconds: Numbers, luck: Numbers) -> Numbers:
    """Move some pickups out of the month, and say when all trips end: some a day later, some before they began."""
    rows, moments = plan.strays(block, luck)
    start[rows] = moments
    befall(seconds, luck, DAY_LONG, seconds + 24 * HOUR_SECONDS)
    befall(seconds, luck, BACKWARDS, -1 - seconds)
    return start + seconds


@cache
def spread(shares: Sequence[int]) -> Numbers:
    """The items' positions, each repeated by its share, as a table that 12 bits of chance choose from."""
    bounds = np.cumsum(np.array(shares, dtype=np.int64)) * _ENTRIES // sum(shares)
    return np.searchsorted(bounds, np.arange(_ENTRIES), side="right").astype(np.int64)


@cache
def zones(service: str) -> Numbers:
    """Zones by 12 bits of chance: a few are visited all the time, most now and then (Zipf's law)."""
    order = sorted(range(1, ZONES + 1), key=lambda zone: zone**3 * _ZONE_ORDER[service] % 65_537)
    return np.array(order, dtype=np.int64)[spread(tuple(1_000_000 // (rank + 4) for rank in range(ZONES)))]


@cache
def bases() -> Numbers:
    """Bases that dispatch for-hire vehicles, by 12 bits of chance."""
    return 1 + spread(tuple(1_000_000 // (rank + 10) for rank in range(BASES)))


@cache
def tolls() -> Numbers:
    """Cents of toll by 12 bits of chance."""
    return np.array(list(_TOLL_SHARES), dtype=np.int64)[spread(tuple(_TOLL_SHARES.values()))]


@cache
def miles(service: str) -> Numbers:
    """Hundredths of a mile by 16 bits of chance: log-logistic, of shape 2, cut at 40 miles.

    Square roots and quotients are exact to the last bit on every machine; logarithms are not.
    """
    chance = np.arange(65_536) + 0.5
    hundredths = _MEDIAN_HUNDREDTHS[service] * np.sqrt(chance / (65_536 - chance))
    return np.minimum(hundredths, _MOST_HUNDREDTHS).astype(np.int64)
