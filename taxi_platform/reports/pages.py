"""The page of a month and the page of all months: titles, notices, tiles and the choice of figures.

Pure: nothing is queried or written here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from taxi_platform.ledger.loaded import months_of
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.redaction import redact
from taxi_platform.reports import panels
from taxi_platform.reports.figures import ServiceFigures, Sum, by_service, months_between
from taxi_platform.reports.homework import answers, is_made_up, load_command
from taxi_platform.reports.html import Figure, Link, Notice, Page, Tile
from taxi_platform.reports.text import MINUS, brief, brief_dollars, dollars
from taxi_platform.trips.months import Month, ranges
from taxi_platform.trips.services import SERVICES, SMALLEST, Service

EXAMPLE = Month(2019, 3)
TITLE = "New York taxi trips"
WHOLE = "trips"
"""The name of the page of all months; the others are named after their month."""


@dataclass(frozen=True)
class ReportData:
    """What a page is made of.

    Attributes:
        parts: the figures of each service and month that is in the models.
        loaded: the load records of the months in the trip tables, by file name.
        timezone: of the schedules.
        at: when all this was queried.
        month: the only month of the page; None for the page of all months.
        pages: the names of the pages that are in the folder already.
    """

    parts: Sequence[ServiceFigures]
    loaded: Mapping[str, LoadRecord]
    timezone: str
    at: datetime
    month: Month | None = None
    pages: frozenset[str] = frozenset()


def whole_page(data: ReportData) -> Page:
    """Return the page of all months."""
    services = by_service(data.parts)
    months = months_between(services)
    return Page(
        title=TITLE,
        lead=f"{_range(months[0], months[-1])} · {_names(services)}" if services else _nothing(data, "Nothing"),
        links=_links(sorted(data.pages - {WHOLE})),
        notices=[*_notices(data), *_gaps(services, data)],
        tiles=_tiles(services, {}),
        figures=_figures(services, "month"),
        answers=answers(data.loaded, data.timezone),
        footer=_footer(data),
    )


def month_page(month: Month, data: ReportData) -> Page:
    """Return the page of one month; all parts belong to it, and other months are known by their load records only."""
    services = by_service(data.parts)
    neighbours = [str(neighbour) for neighbour in (month.plus(-1), month.plus(1)) if str(neighbour) in data.pages]
    return Page(
        title=f"{TITLE}, {month}",
        lead=_names(services).capitalize() if services else _nothing(data, f"Nothing of {month}"),
        links=_links([*({WHOLE} & data.pages), *neighbours]),
        notices=[*_notices(data), *_absent(month, data)],
        tiles=_tiles(services, _changes(month, data)),
        figures=_figures(services, "day"),
        answers=answers(data.loaded, data.timezone),
        footer=_footer(data),
    )


def rebuild_command(first: Month, last: Month) -> str:
    """Return the command that brings the models and the pages of these months up to date."""
    months = f"--partition {first}" if first == last else f"--partition-range {first}...{last}"
    return f"dagster asset materialize --select group:models,group:reports {months}"


def first_commands(month: Month) -> str:
    """Return the commands that load a first month and make its models and pages."""
    everything = rebuild_command(month, month).replace("--select ", "--select taxi_zone_lookup,")
    return f"{load_command(SMALLEST, month, month)} && {everything}"


def _figures(services: Sequence[ServiceFigures], step: panels.Step) -> Sequence[Figure]:
    """Return the figures in their order, without those that have nothing to show."""
    if not services:
        return []
    figures = [
        panels.trips(services, step),
        panels.revenue(services, step),
        panels.hours_of_the_week(services),
        panels.top_zones(services),
        panels.distances(services),
        panels.fares(services),
        panels.payments(services),
        panels.quality(services),
        *([panels.without_vendor_by_month(services)] if step == "month" else []),
    ]
    return [figure for figure in figures if figure.panels]


def _tiles(services: Sequence[ServiceFigures], changes: Mapping[str, str]) -> list[Tile]:
    """Return the trips of each service, the revenue, and the average price and distance of a trip."""
    tiles = [
        Tile(f"{figures.service.title} trips", brief(figures.sum.trips), changes.get(figures.service.name, ""))
        for figures in services
    ]
    paid = [figures for figures in services if figures.is_paid]
    total = sum((figures.sum for figures in paid), Sum())
    measured = sum(figures.measured for figures in paid)
    if total.trips:
        tiles.append(Tile("Revenue", brief_dollars(total.revenue), "without cash tips"))
        tiles.append(Tile("A trip costs", dollars(total.revenue / total.trips), "on average, with all charges"))
    if measured:
        miles = sum(figures.total_miles for figures in paid) / measured
        tiles.append(Tile("A trip goes", f"{miles:.1f} miles", "on average, up to 100 miles"))
    return tiles


def _changes(month: Month, data: ReportData) -> dict[str, str]:
    """Compare the trips of each service with the month before and the year before, where these are loaded."""
    changes: dict[str, str] = {}
    for service in SERVICES.values():
        loaded = months_of(service, data.loaded)
        earlier = [
            before for before in (month.plus(-1), month.plus(-12)) if before in loaded and loaded[before].rows_loaded
        ]
        if month in loaded:
            changes[service.name] = ", ".join(
                f"{_change(loaded[month].rows_loaded, loaded[before].rows_loaded)} on {before}" for before in earlier
            )
    return changes


def _change(now: int, before: int) -> str:
    return f"{100 * (now / before - 1):+.1f} %".replace("-", MINUS)


def _notices(data: ReportData) -> Iterator[Notice]:
    """Yield what to know of every page: where the trips are from, and whether the models match the tables."""
    if any(map(is_made_up, data.loaded.values())):
        yield Notice("The trips are made up in the shape of real ones: they come from the sample.")
    if not data.loaded and not data.parts:
        yield Notice("No month is loaded. This loads one, its models and this page:", first_commands(EXAMPLE))
    for service in SERVICES.values():
        for first, last in ranges(_outdated(service, data)):
            yield Notice(
                f"{service.title}: the models differ from the table in {_range(first, last)}. "
                "This brings them up to date:",
                rebuild_command(first, last),
            )


def _outdated(service: Service, data: ReportData) -> Iterator[Month]:
    """Yield the months that have another number of trips in one of the models than in the table."""
    parts = {month: part for part in data.parts if part.service is service for month in part.months}
    for month, record in months_of(service, data.loaded).items():
        part = parts.get(month) or ServiceFigures(service, {})
        of_zones = sum(total.trips for total in part.zones.values())
        if data.month in (None, month) and not part.sum.trips == of_zones == record.rows_loaded:
            yield month


def _gaps(services: Sequence[ServiceFigures], data: ReportData) -> Iterator[Notice]:
    """Yield the months that are missing between others of their service."""
    for figures in services:
        known = {*figures.months, *months_of(figures.service, data.loaded)}
        for first, last in ranges(month for month in months_between([figures]) if month not in known):
            yield _not_loaded(figures.service, first, last)


def _absent(month: Month, data: ReportData) -> Iterator[Notice]:
    """Yield the services that lack the month."""
    present = {part.service.name for part in data.parts}
    for service in SERVICES.values():
        if service.name not in present and service.file_name(month) not in data.loaded:
            yield _not_loaded(service, month, month)


def _not_loaded(service: Service, first: Month, last: Month) -> Notice:
    return Notice(f"{service.title}: {_range(first, last)} is not loaded.", load_command(service, first, last))


def _nothing(data: ReportData, subject: str) -> str:
    """Say that there are no trips, in the models or at all."""
    outdated = any(month for service in SERVICES.values() for month in _outdated(service, data))
    return f"{subject} is in the models yet." if outdated else f"{subject} is loaded yet."


def _names(services: Sequence[ServiceFigures]) -> str:
    return ", ".join(figures.service.title.lower() for figures in services)


def _range(first: Month, last: Month) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _links(names: Iterable[str]) -> list[Link]:
    return [Link("All months" if name == WHOLE else name, f"{name}.html") for name in names]


def _footer(data: ReportData) -> list[str]:
    sources = sorted({redact(record.source.rpartition("/")[0]) for record in data.loaded.values()})
    made = f"Made on {data.at:%Y-%m-%d at %H:%M} UTC from the models in PostgreSQL. A trip's month is its file's."
    return [made, f"Files from {', '.join(sources)}."] if sources else [made]
