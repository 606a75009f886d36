"""Writing a report: read its figures, make its page, replace its file."""

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from taxi_platform.errors import disk_errors
from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.postgres.server import Server
from taxi_platform.reports.figures import ServiceFigures
from taxi_platform.reports.html import Page, html
from taxi_platform.reports.pages import WHOLE, ReportData, make_page
from taxi_platform.reports.queries import read_builds, read_figures, read_reported_months
from taxi_platform.trips.months import Month

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """A page that has been written: its file, what it says, and how many trips it is about."""

    path: Path
    page: Page
    trips: int


@dataclass(frozen=True)
class Reports:
    """Writes the reports of a database."""

    database: Server
    folder: Path  # where the pages are kept
    schedule_timezone: str  # for one of the homework's questions

    def write(self, month: Month | None = None) -> Report:
        """Write the page of a month, or of all months. For a month's page, only load records of other months are read.

        Raises:
            DatabaseUnreachable, DatabaseInterrupted, DatabaseRefused: the server does not answer, broke off or refuses.
            StorageFull: the page cannot be written.
        """
        url = self.database.address()
        loaded = months_in_place(url)
        parts: list[ServiceFigures] = []
        for part in read_figures(url, [month] if month else read_reported_months(url, loaded), loaded):
            logger.debug("%s: %s trips counted", part.service.file_name(*part.months), f"{part.total.trips:,}")
            parts.append(part)
        pages = frozenset(path.stem for path in self.folder.glob("*.html"))
        now, builds = datetime.now(timezone.utc), read_builds(url)
        data = ReportData(parts, loaded, self.schedule_timezone, now, month, pages, builds)
        page = make_page(data)
        path = self.folder / f"{month or WHOLE}.html"
        unfinished = self.folder / f".{path.name}.{uuid4().hex}.part"  # two runs may write the same page at once
        with disk_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(html(page), encoding="utf-8")
            unfinished.replace(path)  # readers see the old page or the new one
        logger.info("%s: written", path)
        return Report(path, page, sum(part.total.trips for part in parts))
