"""Tables for the sample: what happens to how many rows, items by bits of chance, and texts by number.

Numbers become text by tables, so that none is formatted twice; this makes the sample fast.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from taxi_platform.trips.columns import Column

Numbers = NDArray[np.int64]
Texts = NDArray[np.bytes_]

LONGEST = 39_999  # seconds that trips claim to last
DISTANCES = 8192  # distances known by their hundredths of a mile
MOST_CENTS, LEAST_CENTS = 120_000, -20_000
OUTLIERS = ("15213.47", "31400.02", "48881.90", "62057.75", "99614.08", "120300.33", "173452.61", "205006.19")
_TOLL_SHARES = {0: 3860, 612: 200, 1224: 14, 280: 12, 229: 6, 1375: 2, 576: 1, 1836: 1}  # by cents


class Luck:
    """What happens to a row whose luck, a number from 0 to 65,535, is in one of these ranges."""

    REVERSED = range(0, 500)  # repeats the row before with negative amounts; odd rows only, so about 1 in 260
    DAY_LONG = range(500, 570)
    BACKWARDS = range(570, 573)  # ends before it begins
    OUTLYING = range(573, 576)  # has travelled around the Earth
    PLAINLY_SPELLED = range(576, 900)  # 7 for 7.00 miles
    UNMOVED = range(900, 2_600)  # .00 miles
    UNEXPLAINED = range(2_600, 2_665)  # total_amount is not the sum of its parts
    EXPENSIVE = range(2_665, 2_668)  # a fare of 200 to 803 dollars
    UNKNOWN_RATE = range(2_668, 2_690)
    WITHOUT_BASE = range(2_690, 2_693)


def apply_luck(numbers: Numbers, luck: Numbers, odds: range, result: Numbers | int) -> None:
    """Replace the numbers of the rows whose luck is in ``odds``."""
    np.copyto(numbers, result, where=(luck >= odds.start) & (luck < odds.stop))


@cache
def spread(shares: Sequence[int]) -> Numbers:
    """Return the items' positions, each repeated by its share, as a table that 12 bits of chance choose from."""
    bounds = np.cumsum(np.array(shares, dtype=np.int64)) * 4096 // sum(shares)
    return np.searchsorted(bounds, np.arange(4096), side="right").astype(np.int64)


@cache
def zones(popularity: str) -> Numbers:
    """Return zones by 12 bits of chance: a few are visited all the time, most now and then (Zipf's law)."""
    factor = int.from_bytes(popularity.encode(), "big") % 65_536 + 1
    order = sorted(range(1, 266), key=lambda zone: zone**3 * factor % 65_537)
    return np.array(order, dtype=np.int64)[spread(tuple(1_000_000 // (rank + 4) for rank in range(265)))]


@cache
def bases() -> Numbers:
    """Return dispatching bases by 12 bits of chance."""
    return spread(tuple(1_000_000 // (rank + 10) for rank in range(700)))


@cache
def tolls() -> Numbers:
    """Return tolls in cents by 12 bits of chance."""
    return np.array(list(_TOLL_SHARES), dtype=np.int64)[spread(tuple(_TOLL_SHARES.values()))]


@cache
def miles(median: float) -> Numbers:
    """Return hundredths of a mile by 16 bits of chance: log-logistic, of shape 2, cut at 40 miles.

    Square roots and quotients are exact to the last bit on every machine; logarithms are not.
    """
    chance = np.arange(65_536) + 0.5
    return np.minimum(round(median * 100) * np.sqrt(chance / (65_536 - chance)), 4000).astype(np.int64)


def texts_of(column: Column) -> Texts:
    """Return the texts that a column's numbers stand for; in columns without a unit, -1 is an empty field."""
    if column.unit in ("US dollars", "miles", "seconds"):
        return texts_of_kind(column.unit)
    if column.name.endswith("_flag") and not column.is_code:
        return text_table("NY")
    if column.name == "hvfhs_license_num":
        return text_table(["HV0003", "HV0005"])
    if column.name == "request_source":
        return text_table(["A", "CC", "EH0004", "EH0010", "HV0003", "HV0003", "HV0005", "HV0005"])
    return texts_of_kind("codes" if column.is_code or column.postgres == "integer" else "licences")


@cache
def texts_of_kind(kind: str) -> Texts:
    """Return the texts of all numbers of one kind; ``59:59`` is the second of the hour."""
    if kind == "US dollars":  # without needless zeros, 7, 6.5, 12.24; then the negative ones, -200 to -0.01
        fractions = [f".{cents:02d}".rstrip("0").rstrip(".") for cents in range(100)]
        amounts = [f"{whole}{fraction}" for whole in range(MOST_CENTS // 100) for fraction in fractions]
        return text_table([*amounts, *(f"-{amount}" for amount in reversed(amounts[1 : 1 - LEAST_CENTS]))])
    if kind == "miles":  # as meters spell them (.68, 7.00), then plainly (0.68, 7), then the outliers
        metered = [f"{hundredths // 100 or ''}.{hundredths % 100:02d}" for hundredths in range(DISTANCES)]
        plain = [(f"0{text}" if text[0] == "." else text).rstrip("0").rstrip(".") or "0" for text in metered]
        return text_table([*metered, *plain, *OUTLIERS])
    if kind == "seconds":
        return text_table([str(second) for second in range(LONGEST + 1)])
    if kind == "59:59":
        return text_table([f"{second // 60:02d}:{second % 60:02d}" for second in range(3600)])
    if kind == "licences":
        return text_table([*(f"B{number * 137 % 99_991:05d}" for number in range(1, 701)), ""])
    return text_table([*map(str, range(300)), ""])


def text_table(texts: Sequence[str]) -> Texts:
    """Return texts as an array of fixed width."""
    return np.array([text.encode() for text in texts])


def hour_texts(hours: Numbers) -> Texts:
    """Return ``2019-03-01 00:`` for each hour since 1970."""
    return text_table([f"{hour}:".replace("T", " ") for hour in hours.astype("datetime64[h]").astype(str).tolist()])
