"""Figures asked of the models in PostgreSQL, a month at a time. What is counted, and how, is in ``queries``."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from taxi_platform.ledger.loaded import months_of
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.postgres.connection import connect, execute, in_our_words
from taxi_platform.reports import queries
from taxi_platform.reports.counted import figures_of
from taxi_platform.reports.figures import ServiceFigures
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from taxi_platform.postgres.connection import Connection

_Row = tuple[Any, ...]


def months_to_ask(url: str, held: Mapping[str, LoadRecord]) -> list[Month]:
    """Every month that the tables of trips or the models have, in order.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    found = {month for service in SERVICES.values() for month in months_of(service, held)}
    with connect(url) as connection, in_our_words(queries.REVENUE):
        if _are_built(connection):
            rows = execute(connection, queries.MONTHS).fetchall()
            found |= {Month(day.year, day.month) for (day,) in rows}
    return sorted(found)


def ask(url: str, months: Iterable[Month], held: Mapping[str, LoadRecord]) -> Iterator[ServiceFigures]:
    """The figures of each of these months for each service of which the models have trips.

    The client holds those of one month at a time. Without the models there are none.

    Args:
        url: the database.
        months: which months.
        held: what the tables say of themselves, for the rejects.

    Raises:
        DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
    """
    with connect(url) as connection, in_our_words(queries.TRIPS):
        if _are_built(connection):
            for month in months:
                yield from _of_month(connection, month, held)


def _are_built(connection: "Connection") -> bool:
    return all(there for (there,) in execute(connection, queries.EXIST, (list(queries.MODELS),)).fetchall())


def _of_month(connection: "Connection", month: Month, held: Mapping[str, LoadRecord]) -> Iterator[ServiceFigures]:
    parameters = {"first": _first_day(month), "after": _first_day(month.plus(1))}

    def answer(*statements: str) -> Mapping[str, list[_Row]]:
        """The rows of several statements by the service that each of them begins with."""
        found: dict[str, list[_Row]] = {}
        for statement in statements:
            for service, *row in execute(connection, statement, parameters).fetchall():
                found.setdefault(service, []).append(tuple(row))
        return found

    hours = answer(queries.BY_HOUR, queries.FHV_BY_HOUR)
    distributions = answer(queries.DISTRIBUTIONS)
    zones = answer(queries.BY_ZONE, queries.FHV_BY_ZONE)
    for service in SERVICES.values():
        if service.name in hours:
            record = months_of(service, held).get(month)
            yield figures_of(
                service,
                month,
                hours=hours[service.name],
                distributions=distributions.get(service.name, []),
                zones=zones.get(service.name, []),
                rejected=record.rows_rejected if record else 0,
            )


def _first_day(month: Month) -> date:
    return date(month.year, month.month, 1)
