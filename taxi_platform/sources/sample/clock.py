"""The hours of a made-up file: how busy each is, how it is written, and which days the stray pickups fall on.

A moment is a number of seconds from the first hour of a ``Clock``; its hours are consecutive within a stretch of
days, and stretches follow each other though years may lie between them. Slow to import, as numpy is.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from taxi_platform.trips.months import Month

DAY = timedelta(days=1)
HOUR_SECONDS = 3600
SPILL = 3 * DAY  # room for drop-offs behind a stretch's last pickup; the longest trip takes 1.3 days
FAR_YEAR = 3019

# Trips that begin in each hour of the day, against each other.
_WEEKDAY = (20, 12, 8, 6, 7, 12, 26, 46, 57, 54, 51, 52, 55, 55, 59, 61, 57, 66, 76, 74, 67, 63, 56, 38)
_WEEKEND = (56, 48, 38, 27, 17, 9, 11, 15, 24, 36, 46, 53, 58, 58, 58, 58, 57, 60, 65, 62, 55, 55, 58, 52)

_NIGHT_CENTS = 50
_RUSH_CENTS = 100


@dataclass(frozen=True)
class Clock:
    """Every hour that the file of one month may mention.

    Attributes:
        hours: each hour's text up to its minutes, ``2019-03-01 00:``.
        extras: what a taxi charges extra in each hour, in cents.
        start: the number of the month's first hour.
        weights: how busy each hour of the month is, against the others.
        strays: the numbers of the hours at which the days of stray pickups begin.
        far: the number of an hour in the year 3019.
    """

    hours: NDArray[np.bytes_]
    extras: NDArray[np.int64]
    start: int
    weights: tuple[int, ...]
    strays: tuple[int, ...]
    far: int


def clock_of(month: Month) -> Clock:
    """The clock of a month's file. Each stretch has a day before it, for trips that end before they begin."""
    days = _days(month)
    strays = _stray_days(days)
    stretches = [[days[0] - DAY, *days, *_spill(days[-1])], *([day - DAY, day, *_spill(day)] for day in strays)]
    far = days[0].replace(year=FAR_YEAR)
    everyday = [day for stretch in stretches for day in stretch] + [far]
    lengths = [len(stretch) for stretch in stretches]
    return Clock(
        hours=np.array([f"{day} {hour:02d}:" for day in everyday for hour in range(24)], dtype="S14"),
        extras=np.array([_extra(day, hour) for day in everyday for hour in range(24)], dtype=np.int64),
        start=24,
        weights=tuple(weight for day in days for weight in (_WEEKEND if _is_weekend(day) else _WEEKDAY)),
        strays=tuple(24 * (sum(lengths[: 1 + number]) + 1) for number in range(len(strays))),
        far=24 * (len(everyday) - 1),
    )


def _days(month: Month) -> list[date]:
    count = calendar.monthrange(month.year, month.month)[1]
    return [date(month.year, month.month, day) for day in range(1, count + 1)]


def _stray_days(days: list[date]) -> list[date]:
    """Days outside the month on which pickups are dated by clocks that are wrong, or late, or early."""
    wrong = {date(2008, 12, 31), date(2009, 1, 1), date(2041, 8, 17)}
    near = {days[0] - DAY, days[0] - 11 * DAY, days[-1] + DAY}
    return sorted((wrong | near) - set(days))


def _spill(day: date) -> list[date]:
    return [day + DAY * number for number in range(1, SPILL.days + 1)]


def _is_weekend(day: date) -> bool:
    return day.weekday() >= 5


def _extra(day: date, hour: int) -> int:
    if hour >= 20 or hour < 6:
        return _NIGHT_CENTS
    return _RUSH_CENTS if hour >= 16 and not _is_weekend(day) else 0
