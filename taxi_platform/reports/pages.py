"""The page of a month and the page of all months: titles, notices, tiles and the choice of figures.

Pure: nothing is queried or written here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from taxi_platform.ledger.loaded import months_of
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.redaction import redact
from taxi_platform.reports import panels
from taxi_platform.reports.figures import Counts, ServiceFigures, by_service, months_between
from taxi_platform.reports.homework import answers, is_made_up, load_command
from taxi_platform.reports.html import Notice, Page, Tile
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
        month: the only month of the page, to which all parts belong; None for the page of all months.
        pages: the names of the pages that are in the folder already.
    """

    parts: Sequence[ServiceFigures]
    loaded: Mapping[str, LoadRecord]
    timezone: str
    at: datetime
    month: Month | None = None
    pages: frozenset[str] = frozenset()


def make_page(data: ReportData) -> Page:
    """Return the page of one month, or of all months."""
    services = by_service(data.parts)
    month = data.month
    if month is None:
        period = [str(each) for each in months_between(services)]
        lead = f"{_range(period[0], period[-1])} · {_names(services)}" if services else _nothing(data, "Nothing")
        linked, missing, changes = sorted(data.pages - {WHOLE}), _gaps(services, data), {}
    else:
        lead = _names(services).capitalize() if services else _nothing(data, f"Nothing of {month}")
        linked = [name for name in (WHOLE, str(month.plus(-1)), str(month.plus(1))) if name in data.pages]
        missing, changes = _absent(month, data), _changes(month, data)
    sources = sorted({redact(record.source.rpartition("/")[0]) for record in data.loaded.values()})
    return Page(
        title=f"{TITLE}, {month}" if month else TITLE,
        lead=lead,
        links=[("All months" if name == WHOLE else name, f"{name}.html") for name in linked],
        notices=[*_notices(data), *missing],
        tiles=_tiles(services, changes),
        figures=panels.figures(services, "day" if month else "month") if services else [],
        answers=answers(data.loaded, data.timezone),
        footer=[
            f"Made on {data.at:%Y-%m-%d at %H:%M} UTC from the models in PostgreSQL. A trip's month is its file's.",
            *([f"Files from {', '.join(sources)}."] if sources else []),
        ],
    )


def rebuild_command(first: Month, last: Month) -> str:
    """Return the command that brings the models and the pages of these months up to date."""
    months = f"--partition {first}" if first == last else f"--partition-range {first}...{last}"
    return f"dagster asset materialize --select group:models,group:reports {months}"


def _tiles(services: Sequence[ServiceFigures], changes: Mapping[str, str]) -> list[Tile]:
    """Return the trips of each service, the revenue, and the average price and distance of a trip."""
    tiles = [
        Tile(f"{figures.service.title} trips", brief(figures.total.trips), changes.get(figures.service.name, ""))
        for figures in services
    ]
    total = sum((figures.total for figures in services if figures.is_paid), Counts())
    if total.trips:
        tiles.append(Tile("Revenue", brief_dollars(total.revenue), "without cash tips"))
        tiles.append(Tile("A trip costs", dollars(total.revenue / total.trips), "on average, with all charges"))
    if total.measured:
        tiles.append(Tile("A trip goes", f"{total.miles / total.measured:.1f} miles", "on average, up to 100 miles"))
    return tiles


def _changes(month: Month, data: ReportData) -> dict[str, str]:
    """Compare the trips of each service with the month before and the year before, where these are loaded."""
    changes: dict[str, str] = {}
    for service in SERVICES.values():
        trips = {each: record.rows_loaded for each, record in months_of(service, data.loaded).items()}
        if month in trips:
            earlier = [before for before in (month.plus(-1), month.plus(-12)) if trips.get(before)]
            percent = (f"{100 * (trips[month] / trips[before] - 1):+.1f} %".replace("-", MINUS) for before in earlier)
            changes[service.name] = ", ".join(
                f"{change} on {before}" for change, before in zip(percent, earlier, strict=True)
            )
    return changes


def _notices(data: ReportData) -> Iterator[Notice]:
    """Yield what to know of every page: where the trips are from, and whether the models match the tables."""
    if any(map(is_made_up, data.loaded.values())):
        yield Notice("The trips are made up in the shape of real ones: they come from the sample.")
    if not data.loaded and not data.parts:
        models = rebuild_command(EXAMPLE, EXAMPLE).replace("--select ", "--select taxi_zone_lookup,")
        command = f"{load_command(SMALLEST, EXAMPLE, EXAMPLE)} && {models}"
        yield Notice("No month is loaded. This loads one, its models and this page:", command)
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
        if data.month in (None, month) and not part.total.trips == of_zones == record.rows_loaded:
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


def _range(first: object, last: object) -> str:
    return str(first) if first == last else f"{first} to {last}"
