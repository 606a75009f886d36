"""The figures of a page: which charts there are, what their headlines say, and the tables of their numbers.

Each function makes one figure from the services' numbers. How charts are drawn does not belong here.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Literal, NamedTuple

from taxi_platform.reports import charts
from taxi_platform.reports.charts import HOURS, WEEKDAYS, Bar, Chart
from taxi_platform.reports.figures import (
    BELOW_ZERO,
    DOLLARS,
    FIRST,
    MILES,
    NOT_GIVEN,
    UNKNOWN,
    ZERO,
    Counts,
    ServiceFigures,
    hours_of_typical_days,
    months_between,
)
from taxi_platform.reports.html import Figure, Panel, Table
from taxi_platform.reports.text import NONE, brief, brief_dollars, dollars, share, whole

Services = Sequence[ServiceFigures]
Step = Literal["month", "day"]
Share = tuple[int | None, int]  # a count and its total; None where there is nothing to count

TOP_ZONES = 10
_LEAST_SCALE = 0.1  # of the shares of trips without a vendor, so that a tiny share does not fill the chart
_NO_VENDOR, _NEGATIVE, _NO_ZONE = "Without a vendor", "Negative total", "Zone not known"
_FAULTS = {
    _NO_VENDOR: "without_vendor",
    "Pickup outside the month": "strays",
    "Drop-off before pickup": "backwards",
    _NEGATIVE: "negative",
    "Rejected rows": "rejected",
}


class _Series(NamedTuple):
    """The values by month or day of one panel and one column of the table; None without trips."""

    title: str
    colour: str
    values: Mapping[str, float | None]


def figures(services: Services, step: Step) -> list[Figure]:
    """Return the figures in their order, without those that have nothing to show."""
    made = [
        trips(services, step),
        revenue(services, step),
        hours_of_the_week(services),
        top_zones(services),
        distances(services),
        fares(services),
        payments(services),
        quality(services),
        *([without_vendor_by_month(services)] if step == "month" else []),
    ]
    return [figure for figure in made if figure.panels]


def trips(services: Services, step: Step) -> Figure:
    """Return the trips of each month, or of each day of a month."""
    note = {"month": "A trip belongs to the month of its file.", "day": "By pickup, if it is in the file's month."}
    series = [_series(each, services, step, attrgetter("trips")) for each in services]
    return _over_time("trips", f"Trips by {step}", note[step], step, series, brief, whole)


def revenue(services: Services, step: Step) -> Figure:
    """Return the revenue of each month, or of each day of a month, and that of several services together."""
    series = [_series(each, services, step, attrgetter("revenue")) for each in services if each.is_paid]
    if len(series) > 1:
        amounts = {
            label: [amount for each in series if (amount := each.values[label]) is not None]
            for label in series[0].values
        }
        sums = {label: math.fsum(some) if some else None for label, some in amounts.items()}
        series.append(_Series("Together", "all", sums))
    note = "What passengers were charged, without cash tips; reversed charges are subtracted."
    return _over_time("revenue", f"Revenue by {step}", note, step, series, brief_dollars, dollars, form="$~s")


def without_vendor_by_month(services: Services) -> Figure:
    """Return the share of each month's trips that do not name a vendor."""
    series = [
        _series(each, services, "month", lambda total: total.without_vendor / (total.trips or 1)) for each in services
    ]
    note = "Trips that do not name their vendor, or their base. They are counted like all others."
    # One scale for all services, so that they can be compared.
    highest = max([_LEAST_SCALE, *(value for each in series for value in each.values.values() if value is not None)])
    percent = partial(share, total=1)
    return _over_time(
        "without-vendor", _NO_VENDOR, note, "month", series, percent, percent, form=".0%", highest=highest
    )


def hours_of_the_week(services: Services) -> Figure:
    """Return when trips begin."""
    panels: list[Panel] = []
    rows: list[list[str]] = []
    for each in services:
        averages = hours_of_typical_days(each)
        weekday, hour = max(averages, key=lambda key: averages[key], default=(0, 0))
        busiest = f"{WEEKDAYS[weekday]} {hour:02}:00, {brief(averages[weekday, hour])} an hour" if averages else ""
        panels.append(_panel(each, busiest or "no trips", partial(charts.heat_map, averages)))
        for hour in HOURS:
            cells = (f"{averages.get((weekday, hour), 0):,.1f}" for weekday in range(7))
            rows.append([each.service.title, f"{hour:02}:00", *cells])
    note = "The average number of pickups in each hour of the week: the fuller the colour, the more."
    return Figure("hours", "When trips begin", note, panels, Table(["Service", "Hour", *WEEKDAYS], rows, texts=2))


def top_zones(services: Services) -> Figure:
    """Return the zones where most trips begin."""
    panels: list[Panel] = []
    rows: list[list[str]] = []
    for each in services:
        known = [(zone, total) for zone, total in each.zones.items() if zone.is_known]
        busiest = sorted(known, key=lambda item: (-item[1].trips, item[0].label))[:TOP_ZONES]
        if not busiest:
            continue
        every = each.total.trips
        bars = [Bar(zone.label, total.trips, brief(total.trips)) for zone, total in busiest]
        of_all = share(sum(total.trips for _, total in busiest), every)
        panels.append(_panel(each, f"{of_all} of all", partial(charts.ranking, bars)))
        for zone, total in busiest:
            numbers = [whole(total.trips), share(total.trips, every), dollars(total.revenue) if each.is_paid else NONE]
            rows.append([each.service.title, zone.label, zone.borough, *numbers])
    note = f"The {TOP_ZONES} zones with the most pickups. Trips without a known zone are counted further down."
    table = Table(["Service", "Zone", "Borough", "Trips", "Share", "Revenue"], rows, texts=3)
    return Figure("zones", "Where trips begin", note, panels, table)


def distances(services: Services) -> Figure:
    """Return how far trips go."""
    note = f"Trips by full miles; the last column holds all trips of {MILES[-1]} miles and more."
    counts = [(each, each.miles) for each in services if each.is_paid]
    return _distribution(
        "distances", "How far trips go", note, "Distance", _bins(MILES, unit=" miles"), counts, "miles", 5
    )


def fares(services: Services) -> Figure:
    """Return what trips cost by the meter."""
    note = f"Trips by fare, without tips and surcharges; the last column holds all fares of ${DOLLARS[-1]} and more."
    counts = [(each, each.fares) for each in services if each.is_paid]
    return _distribution("fares", "What trips cost", note, "Fare", _bins(DOLLARS, sign="$"), counts, "dollars", 4)


def payments(services: Services) -> Figure:
    """Return how trips are paid."""
    paid = [each for each in services if each.payments]
    totals: Counter[str] = Counter()
    for each in paid:
        totals.update(each.payments)
    names = [name for name, _ in totals.most_common()]
    panels: list[Panel] = []
    for each in paid:
        every = sum(each.payments.values())
        bars = [Bar(name, part / every, share(part, every)) for name in names if (part := each.payments.get(name))]
        panels.append(_panel(each, f"{whole(every)} trips", partial(charts.ranking, bars, full=1)))
    rows: dict[str, list[Share]] = {
        name: [(each.payments.get(name, 0), sum(each.payments.values())) for each in paid] for name in names
    }
    note = f"Trips by payment. {UNKNOWN} means that the file does not say."
    return Figure("payments", "How trips are paid", note, panels, _shares("Payment", paid, rows), layout="below")


def quality(services: Services) -> Figure:
    """Return the faults of each service as shares of all rows of its files. The checks decide what is too much."""
    panels: list[Panel] = []
    rows: dict[str, list[Share]] = {name: [] for name in [*_FAULTS, _NO_ZONE]}
    for each in services:
        every = each.total.trips + each.total.rejected
        counts = {
            name: getattr(each.total, fault) for name, fault in _FAULTS.items() if each.is_paid or name != _NEGATIVE
        }
        counts[_NO_ZONE] = sum(total.trips for zone, total in each.zones.items() if not zone.is_known)
        for name, cells in rows.items():
            cells.append((counts.get(name), every))
        titles = {_NO_VENDOR: f"Without a {each.service.reported_by}"}
        bars = [
            Bar(titles.get(name, name), count / (every or 1), f"{whole(count)} · {share(count, every)}")
            for name, count in counts.items()
        ]
        panels.append(_panel(each, f"{whole(every)} rows", partial(charts.ranking, bars, full=1)))
    note = "Of all rows of the files. All of these trips are counted in every figure; rejected rows are not trips."
    return Figure("quality", "How good the data is", note, panels, _shares("What", services, rows))


def _panel(figures: ServiceFigures, headline: str, chart: Callable[..., Chart]) -> Panel:
    service = figures.service
    return Panel(service.title, service.name, headline, partial(chart, colour=service.name))


def _shares(heading: str, services: Iterable[ServiceFigures], rows: Mapping[str, Sequence[Share]]) -> Table:
    """Return a table with two columns per service: a count and its share of the total."""
    columns = [heading, *(name for each in services for name in (each.service.title, "Share"))]
    cells: dict[str, list[str]] = {name: [name] for name in rows}
    for name, counts in rows.items():
        for count, total in counts:
            cells[name] += (NONE, NONE) if count is None else (whole(count), share(count, total))
    return Table(columns, list(cells.values()))


_Bin = tuple[int, str, str]  # its number; its label in the chart, empty where it is not drawn; its name in the table


def _bins(bounds: Sequence[int], sign: str = "", unit: str = "") -> list[_Bin]:
    """Return the bins of a distribution in words, with a sign before each number and a unit after it."""
    last = f"{sign}{bounds[-1]}"
    return [
        (NOT_GIVEN, "", "not given"),
        (BELOW_ZERO, "", f"below {sign}0{unit}"),
        (ZERO, "none", f"exactly {sign}0{unit}"),
        *(
            (FIRST + place, f"{sign}{begin}", f"{sign}{begin} to {sign}{end}{unit}")
            for place, (begin, end) in enumerate(zip([0, *bounds], bounds, strict=False))
        ),
        (FIRST + len(bounds), f"{last}+", f"{last}{unit} and more"),
    ]


def _distribution(
    name: str,
    title: str,
    note: str,
    heading: str,
    bins: Sequence[_Bin],
    counts: Sequence[tuple[ServiceFigures, Mapping[int, int]]],
    axis: str,
    every: int,
) -> Figure:
    """Return a figure with the share of each service's trips in each bin; every ``every``-th column has a label."""
    drawn = [(number, label) for number, label, _ in bins if label]
    labels = [drawn[0][1], *(label for _, label in drawn[1 + every :: every])]
    panels: list[Panel] = []
    for figures, of_bins in counts:
        total = sum(of_bins.values())
        columns = [(label, of_bins.get(number, 0) / (total or 1)) for number, label in drawn]
        fullest, _, text = max(bins, key=lambda each: of_bins.get(each[0], 0))
        headline = f"{text}: {share(of_bins.get(fullest, 0), total)}"
        panels.append(
            _panel(figures, headline, partial(charts.columns, columns, form=".0%", title=axis, labels=labels))
        )
    rows: dict[str, list[Share]] = {
        text: [(of_bins.get(number, 0), sum(of_bins.values())) for _, of_bins in counts] for number, _, text in bins
    }
    return Figure(name, title, note, panels, _shares(heading, [figures for figures, _ in counts], rows), layout="below")


def _series(figures: ServiceFigures, services: Services, step: Step, value: Callable[[Counts], float]) -> _Series:
    """Return a value for each day of the only month, or for each month that any of the services has."""
    if step == "day":
        (month,) = figures.months
        values = {str(day): value(figures.days.get(day, Counts())) for day in range(1, month.days + 1)}
    else:
        months, known = months_between(services), figures.months
        values = {str(month): value(known[month]) if month in known else None for month in months}
    return _Series(figures.service.title, figures.service.name, values)


def _over_time(
    name: str,
    title: str,
    note: str,
    step: Step,
    series: Sequence[_Series],
    headline: Callable[[float], str],
    exact: Callable[[float], str],
    form: str = "~s",
    highest: float | None = None,
) -> Figure:
    """Return a figure with a panel per series and a table; ``headline``, ``exact`` and ``form`` format the values."""
    axis = "day of the month" if step == "day" else None
    panels: list[Panel] = []
    rows: dict[str, list[str]] = {label: [label] for each in series for label in each.values}
    for each in series:
        peak = max(value for value in each.values.values() if value is not None)
        values = list(each.values.items())
        chart = partial(charts.columns, values, colour=each.colour, form=form, title=axis, highest=highest)
        panels.append(Panel(each.title, each.colour, f"at most {headline(peak)}", chart))
        for label, value in values:
            rows[label].append(NONE if value is None else exact(value))
    return Figure(
        name, title, note, panels, Table([step.capitalize(), *(each.title for each in series)], list(rows.values()))
    )
