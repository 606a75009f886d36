"""The figures of a month, put together from what the queries have counted. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, TypeVar

from taxi_platform.reports.figures import UNKNOWN, Faults, ServiceFigures, Sum, Zone
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

NO_ZONE = -1  # the models' zone of trips that have none, or one that the lookup does not know

Row = Sequence[Any]
K = TypeVar("K", int, str)


def figures_of(
    service: Service,
    month: Month,
    *,
    hours: Sequence[Row],
    distributions: Sequence[Row],
    zones: Sequence[Row],
    rejected: int,
) -> ServiceFigures:
    """The figures of one service in one month.

    Args:
        service: whose trips.
        month: of their files.
        hours: by day of the month (None for strays) and hour: trips, revenue, trips without a vendor, backwards, with
            a negative total, with a measured distance, and the sum of these distances.
        distributions: by column of the distance and of the fare, and by payment: trips.
        zones: by number, name and borough: trips and revenue.
        rejected: rows of the file that are no trips.
    """
    days: dict[int, Sum] = {}
    week: Counter[tuple[int, int]] = Counter()
    total, faults = Sum(), Faults(rejected=rejected)
    for day, hour, trips, revenue, without_vendor, backwards, negative, *_ in hours:
        total += Sum(trips, revenue)
        faults += Faults(without_vendor, 0 if day else trips, backwards, negative)
        if day:
            days[day] = days.get(day, Sum()) + Sum(trips, revenue)
            week[date(month.year, month.month, day).weekday(), hour] += trips
    return ServiceFigures(
        service=service,
        months={month: total},
        faults={month: faults},
        days=days,
        hours=week,
        zones={_zone(number, name, borough): Sum(trips, revenue) for number, name, borough, trips, revenue in zones},
        miles=_counted((miles, trips) for miles, _, _, trips in distributions),
        fares=_counted((fare, trips) for _, fare, _, trips in distributions),
        payments=_counted((payment, trips) for _, _, payment, trips in distributions),
        measured=sum(row[7] for row in hours),
        total_miles=sum(row[8] for row in hours),
    )


def _zone(number: int, name: str, borough: str) -> Zone:
    return Zone("", UNKNOWN, UNKNOWN) if number == NO_ZONE else Zone(str(number), name, borough)


def _counted(rows: Iterable[tuple[K, int]]) -> dict[K, int]:
    """The sums of the trips by what stands before them."""
    counted: Counter[K] = Counter()
    for key, trips in rows:
        counted[key] += trips
    return dict(counted)
