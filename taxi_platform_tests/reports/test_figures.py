"""The figures of months, put together from counts and from each other."""

from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.reports.figures import (
    NO_ZONE,
    Counts,
    ServiceFigures,
    Zone,
    by_service,
    figures_of,
    hours_of_typical_days,
    together,
)
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN
from taxi_platform_tests.support.made_up_figures import part

MARCH, APRIL = Month(2019, 3), Month(2019, 4)
months = st.builds(Month, st.integers(2009, 2030), st.integers(1, 12))

FIGURES = figures_of(
    GREEN,
    MARCH,
    # By day and hour: trips, revenue, measured, miles, without a vendor, backwards, negative
    hours=[
        (1, 0, 3, 30.5, 3, 6.0, 1, 0, 0),
        (1, 23, 2, 20.0, 1, 4.0, 0, 1, 1),
        (4, 8, 5, 50.25, 5, 10.0, 5, 0, 0),
        (None, 8, 2, 9.0, 2, 1.0, 2, 0, 0),
    ],
    distributions=[(2, 3, "Cash", 4), (2, 2, "Unknown", 5), (-1, 3, "Cash", 3)],
    zones=[(74, "East Harlem North", "Manhattan", 10, 100.0), (NO_ZONE, "Unknown", "Unknown", 2, 9.75)],
    rejected=7,
)


def test_every_trip_counts_and_strays_have_no_day() -> None:
    assert FIGURES.months == {
        MARCH: Counts(12, 109.75, 11, 21.0, without_vendor=8, strays=2, backwards=1, negative=1, rejected=7)
    }
    assert FIGURES.days == {1: Counts(5, 50.5), 4: Counts(5, 50.25)}


def test_hours_are_counted_by_weekday() -> None:
    assert FIGURES.hours == {(4, 0): 3, (4, 23): 2, (0, 8): 5}  # 1 March 2019 was a Friday
    assert hours_of_typical_days(FIGURES)[4, 0] == 3 / 5  # that March had five Fridays


def test_each_distribution_has_every_trip_once() -> None:
    assert FIGURES.miles == {2: 9, -1: 3}
    assert FIGURES.fares == {3: 7, 2: 5}
    assert FIGURES.payments == {"Cash": 7, "Unknown": 5}


def test_zones_that_are_not_places_are_labelled_as_unknown() -> None:
    zones = {zone.label: total.trips for zone, total in FIGURES.zones.items()}
    assert zones == {"East Harlem North": 10, "Unknown (none given)": 2}
    assert Zone("264", "NV", "Unknown").label == "Unknown (264)"


@given(st.lists(months, min_size=1, max_size=6, unique=True))
def test_several_months_together_have_the_sums_of_each(chosen: list[Month]) -> None:
    parts = [part(GREEN, month) for month in chosen]
    whole = together(parts)
    assert list(whole.months) == sorted(chosen)
    assert whole.total.trips == sum(each.total.trips for each in parts)
    for name in ("hours", "zones", "miles", "fares", "payments"):
        merged = getattr(whole, name)
        assert set(merged) == {key for each in parts for key in getattr(each, name)}
        for key, value in merged.items():
            apart = [getattr(each, name)[key] for each in parts if key in getattr(each, name)]
            assert value == sum(apart[1:], apart[0])


def test_services_are_in_the_order_of_the_contracts_and_services_without_trips_are_left_out() -> None:
    empty = ServiceFigures(GREEN, {APRIL: Counts()})
    services = by_service([part(FHV, APRIL), part(FHV, MARCH), part(GREEN, MARCH), empty])
    assert [(each.service.name, list(each.months)) for each in services] == [
        ("green", [MARCH]),
        ("fhv", [MARCH, APRIL]),
    ]
    assert by_service([]) == []
