"""Reports from the first question to the file: the database is asked, the page is made, and put in its place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.reports.asking import ask, months_to_ask
from taxi_platform.reports.figures import ServiceFigures
from taxi_platform.reports.folder import pages_in, write_page
from taxi_platform.reports.page import Page, html
from taxi_platform.reports.pages import WHOLE, Found, month_page, whole_page
from taxi_platform.trips.months import Month

Log = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """A page that is in its place.

    Attributes:
        path: where.
        page: what it says.
        parts: the figures that it was made of, each of one service and month.
    """

    path: Path
    page: Page
    parts: Sequence[ServiceFigures]

    @property
    def trips(self) -> int:
        """How many trips it is about."""
        return sum(part.sum.trips for part in self.parts)


@dataclass(frozen=True)
class Desk:
    """Where reports are written.

    Attributes:
        url: the database.
        folder: of the pages.
        schedule_timezone: in which the schedules tick, which one of the homework's questions is about.
        log: where progress is told.
    """

    url: str
    folder: Path
    schedule_timezone: str
    log: Log

    def write_month(self, month: Month) -> Report:
        """Make the page of a month anew. Of other months, nothing but what the tables say of themselves is read.

        Raises:
            DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: as they say.
            StorageFull: the page cannot be written.
        """
        held = months_in_place(self.url)
        parts = list(self._told(ask(self.url, [month], held)))
        found = Found(parts, held, self.schedule_timezone, _now(), month, pages_in(self.folder))
        return self._write(str(month), month_page(month, found), parts)

    def write_whole(self) -> Report:
        """Make the page of all months anew.

        Raises:
            as ``write_month`` does.
        """
        held = months_in_place(self.url)
        parts = list(self._told(ask(self.url, months_to_ask(self.url, held), held)))
        found = Found(parts, held, self.schedule_timezone, _now(), pages=pages_in(self.folder))
        return self._write(WHOLE, whole_page(found), parts)

    def _told(self, parts: Iterator[ServiceFigures]) -> Iterator[ServiceFigures]:
        for part in parts:
            (month,) = part.months
            self.log(f"{part.service.file_name(month)}: {part.sum.trips:,} trips counted")
            yield part

    def _write(self, name: str, page: Page, parts: Sequence[ServiceFigures]) -> Report:
        path = write_page(self.folder, name, html(page))
        self.log(f"{path}: written")
        return Report(path, page, parts)


def _now() -> datetime:
    return datetime.now(timezone.utc)
