"""The figures of a service's month, and how those of several months become one. Pure.

They are small, whatever the month: a number an hour of the week, a day, a mile, five dollars, a zone.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, TypeVar

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Any)

MILES = tuple(range(1, 16))
DOLLARS = tuple(range(5, 65, 5))
"""Where a column of a distribution ends and the next begins. The last has no end."""

NOT_GIVEN, BELOW_ZERO, ZERO, FIRST = -1, 0, 1, 2
"""Columns by number: without a value, negative, nothing, and the one that ends at the first boundary."""

UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Sum:
    """Trips, and what was paid for them in US dollars."""

    trips: int = 0
    revenue: float = 0.0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.trips + other.trips, self.revenue + other.revenue)


@dataclass(frozen=True)
class Faults:
    """Trips about which something is strange, and rows that are no trips.

    Attributes:
        without_vendor: nobody is named who reported them; of for-hire vehicles, no base that dispatched them.
        strays: their pickup lies outside of their file's month.
        backwards: they end before they begin.
        negative: their total is below nothing: reversals, as a rule.
        rejected: rows of the file that are among the rejects and not in any table.
    """

    without_vendor: int = 0
    strays: int = 0
    backwards: int = 0
    negative: int = 0
    rejected: int = 0

    def __add__(self, other: "Faults") -> "Faults":
        return Faults(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True)
class Zone:
    """A taxi zone by number, name and borough; the number is empty where trips have none."""

    number: str
    name: str
    borough: str

    @property
    def is_known(self) -> bool:
        """Whether the lookup has it, as a place: its zones 264 and 265 are none."""
        return self.borough != UNKNOWN

    @property
    def label(self) -> str:
        """Its name; the number of what has no name."""
        return self.name if self.is_known else f"{UNKNOWN} ({self.number or 'none given'})"


@dataclass(frozen=True)
class ServiceFigures:
    """What there is to say of one service in one month, or in several.

    Attributes:
        service: whose trips.
        months: which months, in order, with the sums of each.
        faults: of each month.
        days: sums by the day of the pickup, without strays; of a single month only.
        hours: trips by weekday (0 is Monday) and hour of the pickup, without strays.
        zones: sums by the zone of the pickup, known or not.
        miles: trips by the column of their distance, whose boundaries are ``MILES``.
        fares: trips by the column of their fare, whose boundaries are ``DOLLARS``.
        payments: trips by how they were paid.
        total_miles: of all trips whose distance is neither negative nor beyond a hundred miles.
        measured: how many these are.
    """

    service: Service
    months: Mapping[Month, Sum]
    faults: Mapping[Month, Faults] = field(default_factory=dict[Month, Faults])
    days: Mapping[int, Sum] = field(default_factory=dict[int, Sum])
    hours: Mapping[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    zones: Mapping[Zone, Sum] = field(default_factory=dict[Zone, Sum])
    miles: Mapping[int, int] = field(default_factory=dict[int, int])
    fares: Mapping[int, int] = field(default_factory=dict[int, int])
    payments: Mapping[str, int] = field(default_factory=dict[str, int])
    total_miles: float = 0.0
    measured: int = 0

    @property
    def sum(self) -> Sum:
        """Of all months."""
        return sum(self.months.values(), Sum())

    @property
    def fault(self) -> Faults:
        """Of all months."""
        return sum(self.faults.values(), Faults())

    @property
    def is_paid(self) -> bool:
        """Whether the files of the service say what was paid, and how far one went."""
        return any(column.name == "total_amount" for column in self.service.columns)


def together(parts: Sequence[ServiceFigures]) -> ServiceFigures:
    """The figures of one service in all the months of its parts, each of which has months of its own."""
    if len(parts) == 1:
        return parts[0]
    return ServiceFigures(
        service=parts[0].service,
        months=dict(sorted(_merged(part.months for part in parts).items())),
        faults=dict(sorted(_merged(part.faults for part in parts).items())),
        hours=_merged(part.hours for part in parts),
        zones=_merged(part.zones for part in parts),
        miles=_merged(part.miles for part in parts),
        fares=_merged(part.fares for part in parts),
        payments=_merged(part.payments for part in parts),
        total_miles=sum(part.total_miles for part in parts),
        measured=sum(part.measured for part in parts),
    )


def by_service(parts: Iterable[ServiceFigures]) -> list[ServiceFigures]:
    """Every service that has trips, in the order of the contracts, with all of its months."""
    found: dict[str, list[ServiceFigures]] = {}
    for part in parts:
        if part.sum.trips:
            found.setdefault(part.service.name, []).append(part)
    return [together(found[name]) for name in SERVICES if name in found]


def weekdays_in(months: Iterable[Month]) -> Counter[int]:
    """How many Mondays (0), Tuesdays and so on these months have."""
    return Counter(
        date(month.year, month.month, day).weekday() for month in months for day in range(1, days_of(month) + 1)
    )


def days_of(month: Month) -> int:
    """How many days the month has."""
    return monthrange(month.year, month.month)[1]


def hours_of_typical_days(figures: ServiceFigures) -> dict[tuple[int, int], float]:
    """Trips in each hour of the week, on the mean of all days that are the same weekday."""
    days = weekdays_in(figures.months)
    return {(weekday, hour): trips / days[weekday] for (weekday, hour), trips in figures.hours.items()}


def _merged(parts: Iterable[Mapping[K, V]]) -> dict[K, V]:
    merged: dict[K, V] = {}
    for part in parts:
        for key, value in part.items():
            merged[key] = merged[key] + value if key in merged else value
    return merged
