"""Invented figures for reports, shaped like the real ones, so that reports can be tested without a database."""

from datetime import datetime, timezone

from taxi_platform.ledger.record import LoadRecord
from taxi_platform.reports.figures import DOLLARS, FIRST, MILES, ZERO, Counts, ServiceFigures, Zone
from taxi_platform.reports.pages import ReportData
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, YELLOW, Service
from taxi_platform_tests.support.month_records import load_record

AT = datetime(2026, 5, 4, 12, 30, tzinfo=timezone.utc)
ORDER = {YELLOW: 7_000_000, GREEN: 600_000, FHV: 1_900_000}
PRICE = {YELLOW: 18.63, GREEN: 16.2, FHV: 0.0}
WORKDAY = (6, 4, 3, 2, 2, 2, 5, 10, 14, 13, 11, 11, 12, 12, 12, 13, 12, 14, 18, 19, 17, 15, 13, 9)
WEEKEND = (15, 14, 12, 9, 5, 2, 2, 3, 5, 7, 9, 11, 12, 13, 13, 13, 12, 13, 15, 15, 14, 13, 14, 15)
NAMES = (
    ("237", "Upper East Side South", "Manhattan"),
    ("161", "Midtown Center", "Manhattan"),
    ("103", "Governor's Island/Ellis Island/Liberty Island", "Manhattan"),
    ("132", "JFK Airport", "Queens"),
    ("264", "NV", "Unknown"),
    ("", "", "Unknown"),
    ("48", "<b>Clinton</b> & East", "Manhattan"),
    ("74", "East Harlem North", "Manhattan"),
    ("75", "East Harlem South", "Manhattan"),
    ("41", "Central Harlem", "Manhattan"),
    ("7", "Astoria", "Queens"),
    ("82", "Elmhurst", "Queens"),
)


def part(service: Service, month: Month) -> ServiceFigures:
    """Return the figures of one month of a service: from March 2020 on, fewer trips, many of them without a vendor."""
    later = month >= Month(2020, 3)
    season = 90 - abs(month.month - 5) * (3 if service is GREEN else 2)
    trips = ORDER[service] * season // (300 - 12 * month.month if later else 100)
    price = PRICE[service]
    paid = price > 0
    counts = Counts(
        trips,
        trips * price,
        measured=trips if paid else 0,
        miles=2.9 * trips if paid else 0,
        without_vendor=trips * 2 // 5 if later else 3,
        strays=6,
        backwards=2,
        negative=3 if paid else 0,
        rejected=1,
    )
    hours = {
        (weekday, hour): trips * weight // 2000
        for weekday in range(7)
        for hour, weight in enumerate(WEEKEND if weekday > 4 else WORKDAY)
    }
    days: dict[int, Counts] = {}
    for day in range(1, month.days + 1):
        of_day = trips * (8 + month.first_day.replace(day=day).weekday()) // 340
        days[day] = Counts(of_day, of_day * price)
    return ServiceFigures(
        service=service,
        months={month: counts},
        days=days,
        hours=hours,
        zones=zones(trips, price),
        miles={ZERO: trips // 90} | {FIRST + at: trips // (at + 2) ** 2 for at in range(len(MILES) + 1)}
        if paid
        else {},
        fares={FIRST + at: trips // (abs(at - 1) + 2) ** 2 for at in range(len(DOLLARS) + 1)} if paid else {},
        payments={"Credit card": trips * 6 // 10, "Cash": trips * 3 // 10, "Unknown": trips // 10} if paid else {},
    )


def loaded(trips: int, source: str = "https://example.com/{}") -> LoadRecord:
    """Return the load record of a month with this number of trips."""
    return load_record(trips, file_bytes=trips * 20, csv_bytes=trips * 92, rows_rejected=1, source=source)


def made_up(*months: Month, services: tuple[Service, ...] = tuple(ORDER), only: Month | None = None) -> ReportData:
    """Return a report's data for these months, all of them loaded; with ``only``, the figures of that month alone."""
    parts = [part(service, month) for service in services for month in months]
    records = {
        each.service.file_name(month): loaded(total.trips) for each in parts for month, total in each.months.items()
    }
    shown = [each for each in parts if only is None or only in each.months]
    return ReportData(shown, records, "UTC", AT, only)


def zones(trips: int, price: float) -> dict[Zone, Counts]:
    """Return the trips divided among the zones: each zone has a fifth of what is left, the last has the rest."""
    by_zone: dict[Zone, Counts] = {}
    left = trips
    for place, zone in enumerate(NAMES, start=1):
        of_zone = left if place == len(NAMES) else left // 5
        by_zone[Zone(*zone)] = Counts(of_zone, of_zone * price)
        left -= of_zone
    return by_zone
