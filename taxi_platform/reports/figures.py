"""The numbers of a report: one service's figures of a month, and how those of several months become one.

They stay small whatever the month: a number per hour of the week, per day, per mile, per five dollars, per zone.
The SQL that counts them does not belong here, nor does anything that draws them.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Any)
Row = Sequence[Any]

# The bounds between the bins of a distribution. The last bin has no upper bound.
MILES, DOLLARS = tuple(range(1, 16)), tuple(range(5, 65, 5))
# The numbers of the bins: no value, negative, zero, and the bin that ends at the first bound.
NOT_GIVEN, BELOW_ZERO, ZERO, FIRST = -1, 0, 1, 2
NO_ZONE = -1  # the models' zone id of trips without a zone, or with one that the lookup does not know
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Counts:
    """Counts of trips that can be added up."""

    trips: int = 0
    revenue: float = 0.0  # what was paid for them, in US dollars
    measured: int = 0  # trips with a plausible distance, from 0 to 100 miles
    miles: float = 0.0  # of these
    without_vendor: int = 0  # trips that name no vendor; for for-hire vehicles, no dispatching base
    strays: int = 0  # trips whose pickup is outside the month of the file
    backwards: int = 0  # trips whose drop-off is before the pickup
    negative: int = 0  # trips whose total amount is negative, usually because the charge was reversed
    rejected: int = 0  # rows of the file that were rejected and are not in the table

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
    """The figures of one service, of one month or of several. Days and hours are without strays."""

    service: Service
    months: Mapping[Month, Counts]  # in order
    days: Mapping[int, Counts] = field(default_factory=dict[int, Counts])  # by day of the pickup; of one month only
    hours: Mapping[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])  # by weekday (0: Monday)
    zones: Mapping[Zone, Counts] = field(default_factory=dict[Zone, Counts])  # by zone of the pickup, known or not
    miles: Mapping[int, int] = field(default_factory=dict[int, int])  # trips by bin of ``MILES``
    fares: Mapping[int, int] = field(default_factory=dict[int, int])  # trips by bin of ``DOLLARS``
    payments: Mapping[str, int] = field(default_factory=dict[str, int])  # trips by payment type

    @property
    def total(self) -> Counts:
        """The counts of all months together."""
        return sum(self.months.values(), Counts())

    @property
    def is_paid(self) -> bool:
        """Whether the service's files say what was paid and how far the trip went."""
        return self.service.has("total_amount")


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

    ``hours`` are by day of the month (None for strays) and hour, ``distributions`` by bin of the distance, bin of the
    fare and payment type, ``zones`` by number, name and borough; ``rejected`` counts rows of the file.
    """
    days: dict[int, Counts] = {}
    week: Counter[tuple[int, int]] = Counter()
    total = Counts(rejected=rejected)
    for day, hour, trips, revenue, measured, miles, without_vendor, backwards, negative in hours:
        strays = 0 if day else trips
        total += Counts(trips, revenue, measured, miles, without_vendor, strays, backwards, negative)
        if day:
            days[day] = days.get(day, Counts()) + Counts(trips, revenue)
            week[month.first_day.replace(day=day).weekday(), hour] += trips
    by_zone: dict[Zone, Counts] = {}
    for number, name, borough, trips, revenue in zones:
        zone = Zone("", UNKNOWN, UNKNOWN) if number == NO_ZONE else Zone(str(number), name, borough)
        by_zone[zone] = Counts(trips, revenue)
    return ServiceFigures(
        service=service,
        months={month: total},
        days=days,
        hours=week,
        zones=by_zone,
        miles=_merged({miles: trips} for miles, _, _, trips in distributions),
        fares=_merged({fare: trips} for _, fare, _, trips in distributions),
        payments=_merged({payment: trips} for _, _, payment, trips in distributions),
    )


def together(parts: Sequence[ServiceFigures]) -> ServiceFigures:
    """Return the figures of one service over the months of all parts; no month may be in two parts."""
    if len(parts) == 1:
        return parts[0]
    merged = {
        name: _merged(getattr(part, name) for part in parts)
        for name in ("hours", "zones", "miles", "fares", "payments")
    }
    months = {month: counts for part in parts for month, counts in part.months.items()}
    return ServiceFigures(parts[0].service, dict(sorted(months.items())), **merged)


def by_service(parts: Iterable[ServiceFigures]) -> list[ServiceFigures]:
    """Return one item per service that has trips, with all of its months, in the order of the contracts."""
    with_trips = [part for part in parts if part.total.trips]
    of_services = ([part for part in with_trips if part.service is service] for service in SERVICES.values())
    return [together(of_service) for of_service in of_services if of_service]


def months_between(services: Iterable[ServiceFigures]) -> list[Month]:
    """Return every month from the first to the last of any of these services."""
    months = [month for figures in services for month in figures.months]
    return list(min(months).through(max(months))) if months else []


def hours_of_typical_days(figures: ServiceFigures) -> dict[tuple[int, int], float]:
    """Return the average number of trips in each hour of the week."""
    weekdays = Counter((month.first_day.weekday() + day) % 7 for month in figures.months for day in range(month.days))
    return {(weekday, hour): trips / weekdays[weekday] for (weekday, hour), trips in figures.hours.items()}


def _merged(parts: Iterable[Mapping[K, V]]) -> dict[K, V]:
    """Return the sums of the values by their keys."""
    merged: dict[K, V] = {}
    for part in parts:
        for key, value in part.items():
            merged[key] = merged[key] + value if key in merged else value
    return merged
