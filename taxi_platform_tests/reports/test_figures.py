"""The figures of months, put together from counts and from each other."""

from calendar import monthrange

from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.reports.figures import (
    NO_ZONE,
    Faults,
    ServiceFigures,
    Sum,
    Zone,
    by_service,
    figures_of,
    hours_of_typical_days,
    together,
    weekdays_in,
)
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN
from taxi_platform_tests.support.made_up_figures import part

MARCH, APRIL = Month(2019, 3), Month(2019, 4)
months = st.builds(Month, st.integers(2009, 2030), st.integers(1, 12))

# By day and hour: trips, revenue, without a vendor, backwards, negative, with miles, miles
HOURS = [
    (1, 0, 3, 30.5, 1, 0, 0, 3, 6.0),
    (1, 23, 2, 20.0, 0, 1, 1, 1, 4.0),
    (4, 8, 5, 50.25, 5, 0, 0, 5, 10.0),
    (None, 8, 2, 9.0, 2, 0, 0, 2, 1.0),
]
DISTRIBUTIONS = [(2, 3, "Cash", 4), (2, 2, "Unknown", 5), (-1, 3, "Cash", 3)]
ZONES = [(74, "East Harlem North", "Manhattan", 10, 100.0), (NO_ZONE, "Unknown", "Unknown", 2, 9.75)]


def counted(service: object = GREEN, rejected: int = 7) -> ServiceFigures:
    return figures_of(
        GREEN if service is GREEN else FHV,
        MARCH,
        hours=HOURS,
        distributions=DISTRIBUTIONS,
        zones=ZONES,
        rejected=rejected,
    )


def test_every_trip_counts_and_strays_have_no_day() -> None:
    figures = counted()
    assert figures.months == {MARCH: Sum(12, 109.75)}
    assert figures.faults == {MARCH: Faults(without_vendor=8, strays=2, backwards=1, negative=1, rejected=7)}
    assert figures.days == {1: Sum(5, 50.5), 4: Sum(5, 50.25)}
    assert (figures.measured, figures.total_miles) == (11, 21.0)


def test_hours_are_those_of_the_weekday() -> None:
    # 1 March 2019 was a Friday.
    assert counted().hours == {(4, 0): 3, (4, 23): 2, (0, 8): 5}
    assert hours_of_typical_days(counted())[4, 0] == 3 / 5  # that March had five Fridays


def test_each_distribution_has_every_trip_once() -> None:
    figures = counted()
    assert figures.miles == {2: 9, -1: 3}
    assert figures.fares == {3: 7, 2: 5}
    assert figures.payments == {"Cash": 7, "Unknown": 5}


def test_trips_without_a_zone_have_a_zone_that_says_so() -> None:
    zones = {zone.label: total.trips for zone, total in counted().zones.items()}
    assert zones == {"East Harlem North": 10, "Unknown (none given)": 2}
    assert Zone("264", "NV", "Unknown").label == "Unknown (264)"


@given(st.sets(months, min_size=1, max_size=12))
def test_a_year_has_as_many_weekdays_as_days(chosen: set[Month]) -> None:
    days = weekdays_in(chosen)
    assert sum(days.values()) == sum(monthrange(month.year, month.month)[1] for month in chosen)
    assert all(4 * len(chosen) <= days[weekday] <= 5 * len(chosen) for weekday in range(7))


@given(st.lists(months, min_size=1, max_size=6, unique=True))
def test_several_months_together_have_the_sums_of_each(chosen: list[Month]) -> None:
    parts = [part(GREEN, month) for month in chosen]
    whole = together(parts)
    assert list(whole.months) == sorted(chosen)
    assert whole.sum.trips == sum(one.sum.trips for one in parts)
    assert whole.fault == sum((one.fault for one in parts), Faults())
    for what in ("hours", "zones", "miles", "fares", "payments"):
        merged = getattr(whole, what)
        assert set(merged) == {key for one in parts for key in getattr(one, what)}
        for key, value in merged.items():
            apart = [getattr(one, what)[key] for one in parts if key in getattr(one, what)]
            assert value == sum(apart[1:], apart[0])


def test_services_are_in_the_order_of_the_contracts_and_services_without_trips_are_left_out() -> None:
    empty = ServiceFigures(GREEN, {APRIL: Sum()})
    found = by_service([part(FHV, APRIL), part(FHV, MARCH), part(GREEN, MARCH), empty])
    assert [(one.service.name, list(one.months)) for one in found] == [("green", [MARCH]), ("fhv", [MARCH, APRIL])]
    assert by_service([]) == []
