"""Writing a report: read its figures, make its page, replace its file."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from tempfile import NamedTemporaryFile

from taxi_platform.errors import disk_errors
from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.reports.figures import ServiceFigures
from taxi_platform.reports.html import Page, html
from taxi_platform.reports.pages import WHOLE, ReportData, month_page, whole_page
from taxi_platform.reports.queries import read_figures, read_months
from taxi_platform.trips.months import Month

SUFFIX = ".html"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """A page that has been written.

    Attributes:
        path: its file.
        page: what it says.
        trips: how many trips it is about.
    """

    path: Path
    page: Page
    trips: int


@dataclass(frozen=True)
class Reports:
    """Writes the reports of a database.

    Attributes:
        url: the database.
        folder: where the pages are kept.
        schedule_timezone: the time zone of the schedules, for one of the homework's questions.
    """

    url: str
    folder: Path
    schedule_timezone: str

    def write_month(self, month: Month) -> Report:
        """Write the page of a month. Of other months, only the load records are read.

        Raises:
            DatabaseUnreachable: the server does not answer.
            DatabaseInterrupted: the connection broke, or a timeout ended a query.
            DatabaseRefused: the server refuses a query.
            StorageFull: the page cannot be written.
        """
        data = self._read(month)
        return self._write(str(month), month_page(month, data), data.parts)

    def write_whole(self) -> Report:
        """Write the page of all months.

        Raises:
            DatabaseUnreachable: the server does not answer.
            DatabaseInterrupted: the connection broke, or a timeout ended a query.
            DatabaseRefused: the server refuses a query.
            StorageFull: the page cannot be written.
        """
        data = self._read()
        return self._write(WHOLE, whole_page(data), data.parts)

    def _read(self, only: Month | None = None) -> ReportData:
        """Read the figures of one month, or of every month that there is."""
        loaded = months_in_place(self.url)
        months = [only] if only else read_months(self.url, loaded)
        parts: list[ServiceFigures] = []
        for part in read_figures(self.url, months, loaded):
            (month,) = part.months
            logger.info("%s: %s trips counted", part.service.file_name(month), f"{part.sum.trips:,}")
            parts.append(part)
        pages = frozenset(path.stem for path in self.folder.glob(f"*{SUFFIX}"))
        return ReportData(parts, loaded, self.schedule_timezone, datetime.now(timezone.utc), only, pages)

    def _write(self, name: str, page: Page, parts: Sequence[ServiceFigures]) -> Report:
        path = write_page(self.folder, name, html(page))
        logger.info("%s: written", path)
        return Report(path, page, sum(part.sum.trips for part in parts))


def write_page(folder: Path, name: str, text: str) -> Path:
    """Write a page into the folder, or replace it as a whole: readers see the old page or the new one.

    Raises:
        StorageFull: the page cannot be written; the old one is unchanged.
    """
    path = folder / f"{name}{SUFFIX}"
    with disk_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        # Each run writes to another name first, because two runs may write the same page at the same time.
        with NamedTemporaryFile("w", encoding="utf-8", dir=folder, suffix=".part", delete=False) as part:
            try:
                part.write(text)
                part.flush()
                os.fsync(part.fileno())
                Path(part.name).chmod(0o644)
                Path(part.name).replace(path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    return path
