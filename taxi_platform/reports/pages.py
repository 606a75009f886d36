"""The page of a month and that of all months, made of what was found. Pure: nothing is asked or written here."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from taxi_platform.ledger.loaded import months_of
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.redaction import redact
from taxi_platform.reports import distributions, homework, quality, rankings, series
from taxi_platform.reports.figures import ServiceFigures, Sum, by_service
from taxi_platform.reports.numbers import MINUS, brief, brief_dollars, dollars
from taxi_platform.reports.page import Figure, Link, Notice, Page, Tile
from taxi_platform.trips.months import Month, ranges
from taxi_platform.trips.services import SERVICES, SMALLEST, Service

_Section = Callable[[Sequence[ServiceFigures]], Figure]

EXAMPLE = Month(2019, 3)
TITLE = "New York taxi trips"
WHOLE = "trips"
"""The name of the page of all months, beside pages that are named for their month."""


@dataclass(frozen=True)
class Found:
    """What a page is made of.

    Attributes:
        parts: the figures of every service and month that is in the models.
        held: the months that are in the tables of trips, by the name of their file.
        timezone: in which the schedules tick.
        at: when all this was asked.
        month: the only one that is asked for; None where it is every month.
        pages: the names of the pages that lie in the folder already.
    """

    parts: Sequence[ServiceFigures]
    held: Mapping[str, LoadRecord]
    timezone: str
    at: datetime
    month: Month | None = None
    pages: frozenset[str] = frozenset()


def rebuild_command(first: Month, last: Month) -> str:
    """What to type to bring the models and the pages of these months up to date."""
    months = f"--partition {first}" if first == last else f"--partition-range {first}...{last}"
    return f"dagster asset materialize --select group:models,group:reports {months}"


def first_commands(month: Month) -> str:
    """What to type where nothing is there yet, for one month of one service with all that is made of it."""
    everything = rebuild_command(month, month).replace("--select ", "--select taxi_zone_lookup,")
    return f"{homework.load_command(SMALLEST, [month])} && {everything}"


def whole_page(found: Found) -> Page:
    """The page of all months."""
    services = by_service(found.parts)
    months = series.span(services)
    span = f"{months[0]} to {months[-1]}" if len(months) > 1 else "".join(map(str, months))
    names = ", ".join(one.service.title.lower() for one in services)
    return Page(
        title=TITLE,
        lead=f"{span} · {names}" if services else _nothing(found, "Nothing"),
        links=_links(found, sorted(found.pages - {WHOLE})),
        notices=[*_notices(found), *_gaps(services, found)],
        tiles=_tiles(services, {}),
        figures=_figures(services, [series.trips_by_month, series.revenue_by_month], [series.without_vendor_by_month]),
        answers=homework.answers(found.held, found.timezone),
        footer=_footer(found),
    )


def month_page(month: Month, found: Found) -> Page:
    """The page of one month: all parts are of it, and what is known of others is what the tables say of themselves."""
    services = by_service(found.parts)
    names = ", ".join(one.service.title.lower() for one in services)
    neighbours = [str(one) for one in (month.plus(-1), month.plus(1)) if str(one) in found.pages]
    return Page(
        title=f"{TITLE}, {month}",
        lead=names.capitalize() if services else _nothing(found, f"Nothing of {month}"),
        links=_links(found, [*({WHOLE} & found.pages), *neighbours]),
        notices=[*_notices(found), *_absent(month, found)],
        tiles=_tiles(services, _earlier(month, found)),
        figures=_figures(services, [series.trips_by_day, series.revenue_by_day], []),
        answers=homework.answers(found.held, found.timezone),
        footer=_footer(found),
    )


def _figures(
    services: Sequence[ServiceFigures], first: Sequence[_Section], more: Sequence[_Section]
) -> Sequence[Figure]:
    """The pictures in their order; none where there is nothing to be seen."""
    sections = [
        *first,
        distributions.hours_of_the_week,
        rankings.top_zones,
        distributions.distances,
        distributions.fares,
        rankings.payments,
        quality.quality,
        *more,
    ]
    drawn = [section(services) for section in sections] if services else []
    return [figure for figure in drawn if figure.panels]


def _nothing(found: Found, what: str) -> str:
    """That there are no trips, in the models or at all."""
    awaited = any(month for service in SERVICES.values() for month in _outdated(service, found))
    return f"{what} is in the models yet." if awaited else f"{what} is loaded yet."


def _tiles(services: Sequence[ServiceFigures], earlier: Mapping[str, str]) -> list[Tile]:
    """The numbers in large type: the trips of each service, and what a trip costs and how far it goes."""
    tiles = [
        Tile(f"{one.service.title} trips", brief(one.sum.trips), earlier.get(one.service.name, "")) for one in services
    ]
    paid = [one for one in services if one.is_paid]
    total = sum((one.sum for one in paid), Sum())
    measured = sum(one.measured for one in paid)
    if total.trips:
        tiles.append(Tile("Revenue", brief_dollars(total.revenue), "without cash tips"))
        tiles.append(Tile("A trip costs", dollars(total.revenue / total.trips), "all charges, on the mean"))
    if measured:
        miles = sum(one.total_miles for one in paid) / measured
        tiles.append(Tile("A trip goes", f"{miles:.1f} miles", "on the mean of up to 100 miles"))
    return tiles


def _earlier(month: Month, found: Found) -> dict[str, str]:
    """How the trips of each service compare with the month before and with a year before, where these are loaded."""
    told: dict[str, str] = {}
    for service in SERVICES.values():
        held = months_of(service, found.held)
        before = [one for one in (month.plus(-1), month.plus(-12)) if one in held and held[one].rows_loaded]
        if month in held:
            told[service.name] = ", ".join(
                f"{_change(held[month].rows_loaded, held[one].rows_loaded)} on {one}" for one in before
            )
    return told


def _change(now: int, before: int) -> str:
    return f"{100 * (now / before - 1):+.1f} %".replace("-", MINUS)


def _notices(found: Found) -> Iterator[Notice]:
    """What must be known of every page: where the trips are from, and whether the models have what the tables have."""
    if any(map(homework.is_made_up, found.held.values())):
        yield Notice("Trips here are made up, in the shape of the real ones: they came from the sample.")
    if not found.held and not found.parts:
        yield Notice("No month is loaded. This loads one, its models and this page:", first_commands(EXAMPLE))
    for service in SERVICES.values():
        for first, last in ranges(_outdated(service, found)):
            yield Notice(
                f"{service.title}: the models do not have what the table has of {_span(first, last)}. "
                "This brings them up to date:",
                rebuild_command(first, last),
            )


def _outdated(service: Service, found: Found) -> Iterator[Month]:
    """The months whose trips in one model or another are not as many as in the table."""
    parts = {month: part for part in found.parts if part.service is service for month in part.months}
    for month, record in months_of(service, found.held).items():
        part = parts.get(month) or ServiceFigures(service, {})
        of_zones = sum(total.trips for total in part.zones.values())
        if found.month in (None, month) and not part.sum.trips == of_zones == record.rows_loaded:
            yield month


def _gaps(services: Sequence[ServiceFigures], found: Found) -> Iterator[Notice]:
    """Months between others of their service that are not there."""
    for one in services:
        held = months_of(one.service, found.held)
        missing = [month for month in series.span([one]) if month not in one.months and month not in held]
        for first, last in ranges(missing):
            yield Notice(f"{one.service.title}: {_span(first, last)} is not loaded.", _load(one.service, first, last))


def _absent(month: Month, found: Found) -> Iterator[Notice]:
    """Services of which the month is not there, while it is of others or of none."""
    there = {part.service.name for part in found.parts}
    for service in SERVICES.values():
        if service.name not in there and month not in months_of(service, found.held):
            yield Notice(f"{service.title}: no trips of {month} are loaded.", _load(service, month, month))


def _load(service: Service, first: Month, last: Month) -> str:
    return homework.load_command(service, list(first.through(last)))


def _span(first: Month, last: Month) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _links(found: Found, names: Iterable[str]) -> list[Link]:
    return [Link("All months" if name == WHOLE else name, f"{name}.html") for name in names]


def _footer(found: Found) -> list[str]:
    sources = sorted({redact(one.source.rpartition("/")[0]) for one in found.held.values()})
    made = f"Made on {found.at:%Y-%m-%d at %H:%M} UTC from the models in PostgreSQL. A trip's month is its file's."
    return [made, *(f"Files from {', '.join(sources)}." for _ in sources[:1])]
