"""How trips are distributed: over the hours of the week, distances and fares. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from taxi_platform.reports.columns import columns
from taxi_platform.reports.figures import (
    BELOW_ZERO,
    DOLLARS,
    FIRST,
    MILES,
    NOT_GIVEN,
    ZERO,
    ServiceFigures,
    hours_of_typical_days,
)
from taxi_platform.reports.heat_map import HOURS, WEEKDAYS, heat_map
from taxi_platform.reports.numbers import brief, share, whole
from taxi_platform.reports.page import Figure, Panel, Table, number


@dataclass(frozen=True)
class _Scale:
    """The columns of a distribution in words.

    Attributes:
        bounds: where a column ends and the next begins.
        heading: what is counted.
        below: the same below the axis.
        sign: stands before a number.
        unit: stands after it.
        every: how far the numbers below the axis lie apart.
    """

    bounds: Sequence[int]
    heading: str
    below: str
    sign: str
    unit: str
    every: int

    def columns(self) -> list[tuple[int, str, str]]:
        """Each by number, with the text below it (none where it is not drawn) and the text of the table."""
        begins = [0, *self.bounds]
        between = [
            (FIRST + place, f"{self.sign}{begin}", f"{self.sign}{begin} to {self.sign}{end}{self.unit}")
            for place, (begin, end) in enumerate(zip(begins, self.bounds, strict=False))
        ]
        last = f"{self.sign}{self.bounds[-1]}"
        return [
            (NOT_GIVEN, "", "not given"),
            (BELOW_ZERO, "", f"below {self.sign}0{self.unit}"),
            (ZERO, "none", f"exactly {self.sign}0{self.unit}"),
            *between,
            (FIRST + len(self.bounds), f"{last}+", f"{last}{self.unit} and more"),
        ]

    def named(self) -> list[str]:
        """The texts below the axis for which there is room."""
        return [
            "none",
            *(f"{self.sign}{bound}" for bound in self.bounds[:-1] if bound % self.every == 0),
            f"{self.sign}{self.bounds[-1]}+",
        ]


_MILES = _Scale(MILES, "Distance", "miles", "", " miles", every=5)
_FARES = _Scale(DOLLARS, "Fare", "dollars", "$", "", every=20)


def hours_of_the_week(services: Sequence[ServiceFigures]) -> Figure:
    """When trips begin."""
    typical = [(one, hours_of_typical_days(one)) for one in services]
    rows = [
        [
            one.service.title,
            f"{hour:02}:00",
            *(number(f"{found.get((weekday, hour), 0):,.1f}") for weekday in range(7)),
        ]
        for one, found in typical
        for hour in HOURS
    ]
    return Figure(
        "hours",
        "When trips begin",
        "Trips by weekday and hour of the pickup, on the mean of all such days: the fuller the colour, the more.",
        [_week(one, found) for one, found in typical],
        Table(["Service", "Hour", *WEEKDAYS], rows),
    )


def distances(services: Sequence[ServiceFigures]) -> Figure:
    """How far trips go."""
    note = f"Trips by full miles; the last column holds all from {MILES[-1]} on, and 0 is no distance at all."
    return _distribution(services, "distances", "How far trips go", note, _MILES, lambda one: one.miles)


def fares(services: Sequence[ServiceFigures]) -> Figure:
    """What the meter says at the end."""
    note = f"Trips by their fare, without tips and surcharges; the last column holds all from ${DOLLARS[-1]} on."
    return _distribution(services, "fares", "What trips cost", note, _FARES, lambda one: one.fares)


def _week(one: ServiceFigures, found: Mapping[tuple[int, int], float]) -> Panel:
    weekday, hour = max(found, key=lambda key: found[key], default=(0, 0))
    most = f"{WEEKDAYS[weekday]} {hour:02}:00, {brief(found[weekday, hour])} an hour" if found else "no trips"
    return Panel(
        title=one.service.title,
        colour=one.service.name,
        figure=most,
        told=f"{one.service.title}: the busiest hour of the week is {most}.",
        draw=lambda: heat_map(found, colour=one.service.name),
    )


def _distribution(
    services: Sequence[ServiceFigures],
    name: str,
    title: str,
    note: str,
    scale: _Scale,
    of: Callable[[ServiceFigures], Mapping[int, int]],
) -> Figure:
    """One panel a paid service: the share of its trips in each column.

    Args:
        services: all of them.
        name: of the place in the page.
        title: the heading.
        note: how it is to be read.
        scale: the columns.
        of: the trips by column.
    """
    paid = [one for one in services if one.is_paid]
    rows = [
        [
            long,
            *(
                number(text)
                for one in paid
                for text in (whole(of(one).get(column, 0)), share(of(one).get(column, 0), sum(of(one).values())))
            ),
        ]
        for column, _, long in scale.columns()
    ]
    headings = [heading for one in paid for heading in (one.service.title, "Share")]
    panels = [_spread(one, title, scale, of(one)) for one in paid]
    return Figure(name, title, note, panels, Table([scale.heading, *headings], rows), layout="below")


def _spread(one: ServiceFigures, title: str, scale: _Scale, found: Mapping[int, int]) -> Panel:
    every = sum(found.values())
    drawn = [(short, found.get(column, 0) / every if every else 0) for column, short, _ in scale.columns() if short]
    names = {column: long for column, _, long in scale.columns()}
    most = max(found, key=lambda column: found[column], default=FIRST)
    figure = f"{names[most]}: {share(found.get(most, 0), every)}"
    return Panel(
        title=one.service.title,
        colour=one.service.name,
        figure=figure,
        told=f"{title}, {one.service.title}: the most frequent is {figure} of all trips.",
        draw=lambda: columns(drawn, colour=one.service.name, form=".0%", below=scale.below, named=scale.named()),
    )
