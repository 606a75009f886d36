"""The numbers of a report: one service's figures of a month, and how those of several months become one.

They stay small whatever the month: a number per hour of the week, per day, per mile, per five dollars, per zone.
The SQL that counts them does not belong here, nor does anything that draws them.
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
Row = Sequence[Any]

MILES = tuple(range(1, 16))
DOLLARS = tuple(range(5, 65, 5))
"""The bounds between the bins of a distribution. The last bin has no upper bound."""

NOT_GIVEN, BELOW_ZERO, ZERO, FIRST = -1, 0, 1, 2
"""The numbers of the bins: no value, negative, zero, and the bin that ends at the first bound."""

NO_ZONE = -1  # the models' zone id of trips without a zone, or with one that the lookup does not know
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Counts:
    """Counts of trips that can be added up.

    Attributes:
        trips: all trips.
        revenue: what was paid for them, in US dollars.
        measured: trips with a plausible distance, from 0 to 100 miles.
        miles: the miles of these.
        without_vendor: trips that name no vendor; for for-hire vehicles, no dispatching base.
        strays: trips whose pickup is outside the month of the file.
        backwards: trips whose drop-off is before the pickup.
        negative: trips whose total amount is negative, usually because the charge was reversed.
        rejected: rows of the file that were rejected and are not in the table.
    """

    trips: int = 0
    revenue: float = 0.0
    measured: int = 0
    miles: float = 0.0
    without_vendor: int = 0
    strays: int = 0
    backwards: int = 0
    negative: int = 0
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True)
class Zone:
    """A taxi zone by number, name and borough; the number is empty for trips without a zone."""

    number: str
    name: str
    borough: str

    @property
    def is_known(self) -> bool:
        """Whether the zone is a place: the lookup's zones 264 and 265 are not."""
        return self.borough != UNKNOWN

    @property
    def label(self) -> str:
        """The name, or the number of a zone that has no name."""
        return self.name if self.is_known else f"{UNKNOWN} ({self.number or 'none given'})"


@dataclass(frozen=True)
class ServiceFigures:
    """The figures of one service, of one month or of several.

    Attributes:
        service: the service.
        months: the counts of each month, in order.
        days: trips and revenue by the day of the pickup, without strays; only for a single month.
        hours: trips by weekday (0 is Monday) and hour of the pickup, without strays.
        zones: trips and revenue by the zone of the pickup, known or not.
        miles: trips by the bin of their distance; the bounds are ``MILES``.
        fares: trips by the bin of their fare; the bounds are ``DOLLARS``.
        payments: trips by payment type.
    """

    service: Service
    months: Mapping[Month, Counts]
    days: Mapping[int, Counts] = field(default_factory=dict[int, Counts])
    hours: Mapping[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    zones: Mapping[Zone, Counts] = field(default_factory=dict[Zone, Counts])
    miles: Mapping[int, int] = field(default_factory=dict[int, int])
    fares: Mapping[int, int] = field(default_factory=dict[int, int])
    payments: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def total(self) -> Counts:
        """The counts of all months together."""
        return sum(self.months.values(), Counts())

    @property
    def is_paid(self) -> bool:
        """Whether the service's files say what was paid and how far the trip went."""
        return any(column.name == "total_amount" for column in self.service.columns)


def figures_of(
    service: Service,
    month: Month,
    *,
    hours: Sequence[Row],
    distributions: Sequence[Row],
    zones: Sequence[Row],
    rejected: int,
) -> ServiceFigures:
    """Return the figures of one service and month, put together from the rows of the queries.

    Args:
        service: the service.
        month: the month of its file.
        hours: by day of the month (None for strays) and hour: trips, revenue, trips with a plausible distance, the sum
            of these distances, trips without a vendor, backwards, with a negative total.
        distributions: by bin of the distance, bin of the fare, and payment type: trips.
        zones: by number, name and borough: trips and revenue.
        rejected: rows of the file that were rejected.
    """
    days: dict[int, Counts] = {}
    week: Counter[tuple[int, int]] = Counter()
    total = Counts(rejected=rejected)
    for day, hour, trips, revenue, measured, miles, without_vendor, backwards, negative in hours:
        strays = 0 if day else trips
        total += Counts(trips, revenue, measured, miles, without_vendor, strays, backwards, negative)
        if day:
            days[day] = days.get(day, Counts()) + Counts(trips, revenue)
            week[date(month.year, month.month, day).weekday(), hour] += trips
    return ServiceFigures(
        service=service,
        months={month: total},
        days=days,
        hours=week,
        zones={
            Zone("", UNKNOWN, UNKNOWN) if number == NO_ZONE else Zone(str(number), name, borough): Counts(
                trips, revenue
            )
            for number, name, borough, trips, revenue in zones
        },
        miles=_merged({miles: trips} for miles, _, _, trips in distributions),
        fares=_merged({fare: trips} for _, fare, _, trips in distributions),
        payments=_merged({payment: trips} for _, _, payment, trips in distributions),
    )


def together(parts: Sequence[ServiceFigures]) -> ServiceFigures:
    """Return the figures of one service over the months of all parts; no month may be in two parts."""
    if len(parts) == 1:
        return parts[0]
    return ServiceFigures(
        service=parts[0].service,
        months=dict(sorted(_merged(part.months for part in parts).items())),
        hours=_merged(part.hours for part in parts),
        zones=_merged(part.zones for part in parts),
        miles=_merged(part.miles for part in parts),
        fares=_merged(part.fares for part in parts),
        payments=_merged(part.payments for part in parts),
    )


def by_service(parts: Iterable[ServiceFigures]) -> list[ServiceFigures]:
    """Return one item per service that has trips, with all of its months, in the order of the contracts."""
    with_trips = [part for part in parts if part.total.trips]
    of_services = ([part for part in with_trips if part.service is service] for service in SERVICES.values())
    return [together(of_service) for of_service in of_services if of_service]


def months_between(services: Iterable[ServiceFigures]) -> list[Month]:
    """Return every month from the first to the last of any of these services."""
    months = [month for figures in services for month in figures.months]
    return list(min(months).through(max(months))) if months else []


def days_of(month: Month) -> int:
    """Return the number of days of the month."""
    return monthrange(month.year, month.month)[1]


def hours_of_typical_days(figures: ServiceFigures) -> dict[tuple[int, int], float]:
    """Return the average number of trips in each hour of the week."""
    weekdays = Counter(
        date(month.year, month.month, day).weekday() for month in figures.months for day in range(1, days_of(month) + 1)
    )
    return {(weekday, hour): trips / weekdays[weekday] for (weekday, hour), trips in figures.hours.items()}


def _merged(parts: Iterable[Mapping[K, V]]) -> dict[K, V]:
    """Return the sums of the values by their keys."""
    merged: dict[K, V] = {}
    for part in parts:
        for key, value in part.items():
            merged[key] = merged[key] + value if key in merged else value
    return merged
