"""What changes from month to month, or from day to day: pictures with the tables of their numbers. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from taxi_platform.reports.columns import columns
from taxi_platform.reports.figures import ServiceFigures, Sum, days_of
from taxi_platform.reports.numbers import NONE, brief, brief_dollars, dollars, share, whole
from taxi_platform.reports.page import Cell, Figure, Panel, Table, number
from taxi_platform.trips.months import Month

Written = Callable[[float], str]
Values = Mapping[str, float | None]  # by month or day, in order; None where there are no trips


@dataclass(frozen=True)
class _Series:
    """What one panel shows and one column of the table says.

    Attributes:
        title: whose it is.
        colour: its name in the palette.
        values: what it shows.
    """

    title: str
    colour: str
    values: Values


@dataclass(frozen=True)
class _Kind:
    """What the values of a figure are.

    Attributes:
        name: of its place in the page.
        title: its heading.
        note: how it is to be read.
        step: what one column stands for, month or day.
        written: a value in a headline.
        exact: a value in the table.
        form: a value beside the axis, as d3 spells formats.
        highest: where the axis ends, if not at the highest value.
    """

    name: str
    title: str
    note: str
    step: str
    written: Written
    exact: Written
    form: str = "~s"
    highest: float | None = None


_REVENUE = "What passengers were charged in all, without cash tips; reversals count against it."
_LEAST_SCALE = 0.1
_VENDOR = "Trips whose vendor, or base, is not named. They are trips like others, and stay."


def trips_by_month(services: Sequence[ServiceFigures]) -> Figure:
    """The trips of each month."""
    months = span(services)
    found = [_of(one, _by_month(one, months, lambda total: total.trips)) for one in services]
    return _figure(
        _Kind("trips", "Trips by month", "A month has the trips of its files.", "month", brief, whole), found
    )


def revenue_by_month(services: Sequence[ServiceFigures]) -> Figure:
    """What was paid in each month."""
    months = span(services)
    found = [_of(one, _by_month(one, months, lambda total: total.revenue)) for one in services if one.is_paid]
    kind = _Kind("revenue", "Revenue by month", _REVENUE, "month", brief_dollars, dollars, "$~s")
    return _figure(kind, _with_sum(found))


def trips_by_day(services: Sequence[ServiceFigures]) -> Figure:
    """The trips of each day of a month."""
    found = [_of(one, _by_day(one, lambda total: total.trips)) for one in services]
    return _figure(
        _Kind("trips", "Trips by day", "By the pickup, where it lies in the month.", "day", brief, whole), found
    )


def revenue_by_day(services: Sequence[ServiceFigures]) -> Figure:
    """What was paid on each day of a month."""
    found = [_of(one, _by_day(one, lambda total: total.revenue)) for one in services if one.is_paid]
    kind = _Kind("revenue", "Revenue by day", _REVENUE, "day", brief_dollars, dollars, "$~s")
    return _figure(kind, _with_sum(found))


def without_vendor_by_month(services: Sequence[ServiceFigures]) -> Figure:
    """The share of each month's trips about which nobody says who reported them."""
    months = span(services)
    found: list[_Series] = []
    for one in services:
        shares = {
            month: one.faults[month].without_vendor / total.trips for month, total in one.months.items() if total.trips
        }
        found.append(_of(one, {str(month): shares.get(month) for month in months}))
    written = partial(share, whole=1)
    # The same scale for all services, on which next to nothing does not look like much.
    highest = max([_LEAST_SCALE, *(value for one in found for value in one.values.values() if value is not None)])
    return _figure(
        _Kind("without-vendor", "Without a vendor", _VENDOR, "month", written, written, ".0%", highest=highest), found
    )


def span(services: Sequence[ServiceFigures]) -> list[Month]:
    """Every month from the first to the last of any service."""
    months = [month for one in services for month in one.months]
    return list(min(months).through(max(months))) if months else []


def _of(one: ServiceFigures, values: Values) -> _Series:
    return _Series(one.service.title, one.service.name, values)


def _by_month(one: ServiceFigures, months: Sequence[Month], value: Callable[[Sum], float]) -> Values:
    return {str(month): value(one.months[month]) if month in one.months else None for month in months}


def _by_day(one: ServiceFigures, value: Callable[[Sum], float]) -> Values:
    (month,) = one.months
    return {str(day): value(one.days.get(day, Sum())) for day in range(1, days_of(month) + 1)}


def _with_sum(found: Sequence[_Series]) -> Sequence[_Series]:
    """These and, where they are several, all of them together."""
    if len(found) < 2:
        return found
    together: dict[str, float | None] = {}
    for label in found[0].values:
        there = [value for one in found if (value := one.values[label]) is not None]
        together[label] = math.fsum(there) if there else None
    return [*found, _Series("Together", "all", together)]


def _figure(kind: _Kind, found: Sequence[_Series]) -> Figure:
    """One panel a series, and one row a month or day."""
    steps = list(found[0].values) if found else []
    rows = [[label, *(_cell(one.values[label], kind.exact) for one in found)] for label in steps]
    table = Table([kind.step.capitalize(), *(one.title for one in found)], rows)
    return Figure(kind.name, kind.title, kind.note, [_panel(kind, one) for one in found], table)


def _panel(kind: _Kind, one: _Series) -> Panel:
    there = {label: value for label, value in one.values.items() if value is not None}
    most, least = max(there, key=lambda label: there[label]), min(there, key=lambda label: there[label])
    told = f"{kind.title}, {one.title}: most in {_named(kind, most)}, {kind.written(there[most])}"
    if len(there) > 1:
        told += f"; least in {_named(kind, least)}, {kind.written(there[least])}"
    below = "day of the month" if kind.step == "day" else None
    return Panel(
        title=one.title,
        colour=one.colour,
        figure=f"at most {kind.written(there[most])}",
        told=f"{told}.",
        draw=lambda: columns(
            list(one.values.items()), colour=one.colour, form=kind.form, below=below, highest=kind.highest
        ),
    )


def _named(kind: _Kind, label: str) -> str:
    return f"day {label}" if kind.step == "day" else label


def _cell(value: float | None, exact: Written) -> Cell:
    return number(NONE if value is None else exact(value))
