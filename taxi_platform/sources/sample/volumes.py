"""How many trips a made-up month has: round figures of the real order, by service, year and season.

Pure; nothing here makes a trip (see ``trips``), and no figure claims to be a real month's.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

GENERATION = 1  # to be raised whenever a change makes any file another one: it is part of each file's version
FIRST_YEAR, LAST_YEAR = 2009, 2099
FEWEST_ROWS = 100
SEASON = (98, 96, 106, 103, 104, 99, 94, 91, 95, 104, 100, 101)  # per cent of the year's typical month

# Thousands of trips in a typical month, from the named month on.
_THOUSANDS: Mapping[str, Sequence[tuple[str, int]]] = {
    "yellow": (
        ("2009-01", 14_200),
        ("2014-01", 13_700),
        ("2015-01", 12_200),
        ("2016-01", 10_900),
        ("2017-01", 9_500),
        ("2018-01", 8_600),
        ("2019-01", 7_050),
        ("2020-01", 6_500),
        ("2020-03", 2_850),
        ("2020-04", 230),
        ("2020-05", 340),
        ("2020-06", 560),
        ("2020-07", 850),
        ("2020-08", 1_100),
        ("2020-09", 1_400),
        ("2020-10", 1_550),
        ("2021-03", 1_850),
        ("2021-04", 2_200),
        ("2021-06", 2_900),
        ("2021-10", 3_300),
        ("2024-01", 3_400),
    ),
    "green": (
        ("2009-01", 10),  # before green taxis there were (August 2013), so that any month can be made
        ("2013-08", 150),
        ("2014-01", 1_300),
        ("2015-01", 1_600),
        ("2016-01", 1_370),
        ("2017-01", 980),
        ("2018-01", 730),
        ("2019-01", 600),
        ("2019-04", 490),
        ("2020-01", 430),
        ("2020-03", 210),
        ("2020-04", 35),
        ("2020-05", 56),
        ("2020-07", 78),
        ("2020-09", 92),
        ("2021-01", 75),
        ("2021-03", 84),
        ("2022-01", 68),
        ("2024-01", 55),
    ),
    "fhv": (
        ("2009-01", 50),  # likewise: the published files begin in 2015
        ("2015-01", 3_000),
        ("2019-01", 1_800),
        ("2020-01", 2_000),
        ("2020-03", 1_350),
        ("2020-04", 550),
        ("2020-05", 750),
        ("2020-06", 1_000),
        ("2020-07", 1_200),
    ),
}

# Per mille of a month's trips that are reported without their meters, from the named month on.
_UNMETERED: Mapping[str, Sequence[tuple[str, int]]] = {
    "yellow": (("2009-01", 0), ("2019-07", 6), ("2020-01", 10), ("2020-04", 70)),
    "green": (("2009-01", 0), ("2019-07", 150), ("2020-01", 280), ("2020-04", 360)),
    "fhv": (("2009-01", 0),),
}


def rows_of_month(service: Service, month: Month, scale: float) -> int:
    """The rows of a month's file at a scale: 1 is the real order; never fewer than ``FEWEST_ROWS``."""
    typical = _at(_THOUSANDS[service.name], month) * 10 * SEASON[month.month - 1]
    return max(FEWEST_ROWS, round(typical * scale))


def unmetered_rows(service: Service, month: Month, rows: int) -> int:
    """How many of a file's rows stand in the block at its end that has no VendorID."""
    return rows * _at(_UNMETERED[service.name], month) // 1000


def _at(steps: Sequence[tuple[str, int]], month: Month) -> int:
    return steps[bisect_right(steps, str(month), key=lambda step: step[0]) - 1][1]
