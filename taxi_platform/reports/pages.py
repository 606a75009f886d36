"""The page of a month and the page of all months: titles, notices, tiles and the choice of figures.

Pure: nothing is queried or written here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
WHOLE = "trips"  # the name of the page of all months; the others are named after their month


@dataclass(frozen=True)
class ReportData:
    """What a page is made of."""

    parts: Sequence[ServiceFigures]  # of each service and month that is in the models
    loaded: Mapping[str, LoadRecord]  # by file name
    timezone: str  # of the schedules
    at: datetime  # when all this was queried
    month: Month | None = None  # the only month of the page, to which all parts belong; None for all months
    pages: frozenset[str] = frozenset()  # the names of the pages that are in the folder already
    builds: Mapping[str, datetime] = field(default_factory=dict[str, datetime])  # by file name, of its month's models


def make_page(data: ReportData) -> Page:
    """Return the page of one month, or of all months."""
    services = by_service(data.parts)
    month = data.month
    names = ", ".join(figures.service.title.lower() for figures in services)
    if month is None:
        period = months_between(services)
        lead = f"{_range(period[0], period[-1])} · {names}" if services else _nothing(data, "Nothing")
        linked = sorted(data.pages - {WHOLE})
    else:
        lead = names.capitalize() if services else _nothing(data, f"Nothing of {month}")
        linked = [name for name in (WHOLE, str(month.plus(-1)), str(month.plus(1))) if name in data.pages]
    sources = sorted({redact(record.source.rpartition("/")[0]) for record in data.loaded.values()})
    return Page(
        title=f"{TITLE}, {month}" if month else TITLE,
        lead=lead,
        links=[("All months" if name == WHOLE else name, f"{name}.html") for name in linked],
        notices=[*_notices(data), *_not_loaded(data)],
        tiles=_tiles(services, _changes(month, data) if month else {}),
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
        percents = {
            before: f"{100 * (trips[month] / trips[before] - 1):+.1f} %".replace("-", MINUS)
            for before in (month.plus(-1), month.plus(-12))
            if month in trips and trips.get(before)
        }
        changes[service.name] = ", ".join(f"{percent} on {before}" for before, percent in percents.items())
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
            differing = f"{service.title}: the models differ from the table in {_range(first, last)}."
            yield Notice(f"{differing} This brings them up to date:", rebuild_command(first, last))


def _outdated(service: Service, data: ReportData) -> Iterator[Month]:
    """Yield the months that were loaded since their models were built, or have another number of trips in one."""
    parts = {month: part for part in data.parts if part.service is service for month in part.months}
    for month, record in months_of(service, data.loaded).items():
        part = parts.get(month) or ServiceFigures(service, {})
        of_zones = sum(total.trips for total in part.zones.values())
        built_at = data.builds.get(service.file_name(month))
        is_newer = built_at is not None and record.loaded_at is not None and record.loaded_at > built_at
        if data.month in (None, month) and (is_newer or not part.total.trips == of_zones == record.rows_loaded):
            yield month


def _not_loaded(data: ReportData) -> Iterator[Notice]:
    """Yield what is not loaded: the month of the page, or the months between others of their service."""
    for service in SERVICES.values():
        parts = [part for part in data.parts if part.service is service]
        wanted = [data.month] if data.month else months_between(part for part in parts if part.total.trips)
        known = {*months_of(service, data.loaded), *(month for part in parts for month in part.months)}
        for first, last in ranges(set(wanted) - known):
            text = f"{service.title}: {_range(first, last)} is not loaded."
            yield Notice(text, load_command(service, first, last))


def _nothing(data: ReportData, subject: str) -> str:
    """Return the sentence for a page without trips, which may be loaded and not in the models."""
    outdated = any(True for service in SERVICES.values() for _ in _outdated(service, data))
    return f"{subject} is in the models yet." if outdated else f"{subject} is loaded yet."


def _range(first: Month, last: Month) -> str:
    return str(first) if first == last else f"{first} to {last}"
