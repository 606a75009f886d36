"""Reports of what is in PostgreSQL: the figures, the files, and the two assets as Dagster runs them."""

import base64
import re
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest

from taxi_platform.errors import StorageFull
from taxi_platform.ledger.loaded import months_in_place
from taxi_platform.postgres.server import Server
from taxi_platform.reports.figures import BELOW_ZERO, FIRST, NOT_GIVEN, ZERO, Counts, ServiceFigures, Zone
from taxi_platform.reports.queries import read_figures, read_reported_months
from taxi_platform.reports.writing import Reports
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.asset_runs import Platform

DATA = PROJECT.parent / "shared" / "data"
MARCH, APRIL = Month(2019, 3), Month(2019, 4)

# The columns of the models that reports read.
MODELS = """
create schema analytics;
create table analytics.dim_zones (location_id integer, borough text, zone text, service_zone text);
insert into analytics.dim_zones values
    (-1, 'Unknown', 'Unknown', 'Unknown'), (74, 'Manhattan', 'East Harlem North', 'Boro Zone'),
    (264, 'Unknown', 'NV', 'N/A');
create table analytics.fct_trips (
    service text, file_month date, vendor_id integer, pickup_datetime timestamp, dropoff_datetime timestamp,
    pickup_location_id integer, trip_distance double precision, fare_amount double precision,
    total_amount double precision, payment_type_description text);
create table analytics.fct_fhv_trips (
    file_month date, dispatching_base_num text, pickup_datetime timestamp, dropoff_datetime timestamp,
    pickup_location_id integer);
create table analytics.fct_monthly_zone_revenue (
    service text, file_month date, pickup_location_id integer, trips bigint, total_amount double precision)"""
REVENUE = """
insert into analytics.fct_monthly_zone_revenue
select service, file_month, pickup_location_id, count(*), sum(total_amount) from analytics.fct_trips group by 1, 2, 3"""

# Vendor, pickup, drop-off, zone, miles, fare, total, payment
TRIPS: Sequence[tuple[Any, ...]] = [
    (2, "2019-03-01 00:00:00", "2019-03-01 00:10:00", 74, 0.99, 4.99, 7.5, "Cash"),
    (2, "2019-03-31 23:59:59", "2019-04-01 00:10:00", 74, 1.0, 5.0, 8.25, "Credit card"),
    (-1, "2019-03-01 00:30:00", "2019-03-01 00:29:59", -1, 0.0, 0.0, 0.0, "Unknown"),
    (1, "2019-04-01 00:00:00", "2019-04-01 00:10:00", 264, 15.0, 60.0, 80.0, "Cash"),
    (1, "2008-12-31 23:00:00", "2009-01-01 00:00:00", 74, 205_654.0, 803.0, 900.0, "Cash"),
    (1, "2041-08-17 10:00:00", "2041-08-17 11:00:00", 74, -3.0, -7.0, -8.0, "Dispute"),
    (1, None, None, 74, None, None, None, "Unknown"),
    (1, "infinity", "-infinity", 74, float("nan"), float("inf"), float("nan"), "Unknown"),
]


class Models:
    """A database with models that a test fills by hand."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.reports = Reports(Server(url, folder), folder, "UTC")

    def run(self, statement: str, rows: Sequence[tuple[Any, ...]] = ()) -> None:
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            if rows:
                cursor.executemany(statement.encode(), rows)
            else:
                cursor.execute(statement.encode())

    def fill(self, service: str, month: Month, trips: Sequence[tuple[Any, ...]] = TRIPS) -> None:
        self.run(
            f"insert into analytics.fct_trips (service, file_month, vendor_id, pickup_datetime, dropoff_datetime, "
            f"pickup_location_id, trip_distance, fare_amount, total_amount, payment_type_description) "
            f"values ('{service}', '{month}-01', %s, %s, %s, %s, %s, %s, %s, %s)",
            trips,
        )
        self.run("truncate analytics.fct_monthly_zone_revenue")
        self.run(REVENUE)

    def figures(self, month: Month) -> dict[str, ServiceFigures]:
        return {part.service.name: part for part in read_figures(self.url, [month], months_in_place(self.url))}


@pytest.fixture
def models(database: str, tmp_path: Path) -> Models:
    models = Models(database, tmp_path / "reports")
    models.run(MODELS)
    return models


def text(path: Path) -> str:
    """Return the text of a page, without its tags."""
    page = path.read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<body") :]))


def test_every_trip_is_counted_once_whatever_it_lacks(models: Models) -> None:
    models.fill("green", MARCH)
    figures = models.figures(MARCH)["green"]
    revenue = 7.5 + 8.25 + 80.0 + 900.0 - 8.0
    faults = {"without_vendor": 1, "strays": 5, "backwards": 2, "negative": 1}
    assert figures.months == {MARCH: Counts(8, revenue, measured=4, miles=16.99, **faults)}
    assert figures.days == {1: Counts(2, 7.5), 31: Counts(1, 8.25)}
    assert figures.hours == {(4, 0): 2, (6, 23): 1}
    assert figures.miles == {
        FIRST: 1,
        FIRST + 1: 1,
        ZERO: 1,
        FIRST + 15: 3,  # 15, 205,654 and NaN, which PostgreSQL sorts above every number
        BELOW_ZERO: 1,
        NOT_GIVEN: 1,
    }
    assert figures.fares == {FIRST: 1, FIRST + 1: 1, ZERO: 1, FIRST + 12: 3, BELOW_ZERO: 1, NOT_GIVEN: 1}
    assert figures.payments == {"Cash": 3, "Credit card": 1, "Unknown": 3, "Dispute": 1}
    assert {zone.label: total.trips for zone, total in figures.zones.items()} == {
        "East Harlem North": 6,
        "Unknown (264)": 1,
        "Unknown (none given)": 1,
    }


def test_trips_of_vehicles_for_hire_are_counted_too(models: Models) -> None:
    models.run(
        "insert into analytics.fct_fhv_trips values ('2019-03-01', %s, %s, %s, %s)",
        [
            ("B00013", "2019-03-04 08:00:00", "2019-03-04 09:00:00", 74),
            (None, "2019-03-04 08:30:00", "3019-03-04 09:00:00", -1),
            ("B00013", "2019-02-28 23:00:00", "2019-02-28 22:00:00", -1),
        ],
    )
    figures = models.figures(MARCH)["fhv"]
    assert figures.months == {MARCH: Counts(3, without_vendor=1, strays=1, backwards=1)}
    assert figures.hours == {(0, 8): 2}
    assert figures.zones == {
        Zone("74", "East Harlem North", "Manhattan"): Counts(1),
        Zone("", "Unknown", "Unknown"): Counts(2),
    }


def test_a_month_is_counted_once_for_each_build(models: Models) -> None:
    models.run(
        "alter table analytics.fct_trips rename to fct_trips_2019_03;"
        "alter table analytics.fct_monthly_zone_revenue rename to fct_monthly_zone_revenue_2019_03"
    )
    for table in ("fct_trips", "fct_monthly_zone_revenue"):
        models.run(
            f"create table analytics.{table} (like analytics.{table}_2019_03) partition by list (file_month);"
            f"alter table analytics.{table} attach partition analytics.{table}_2019_03 for values in ('2019-03-01');"
            f"comment on table analytics.{table}_2019_03 is 'the first build'"
        )
    models.fill("green", MARCH)
    first = models.figures(MARCH)
    models.run("delete from analytics.fct_trips where vendor_id = 1")
    assert models.figures(MARCH) == first
    models.run("comment on table analytics.fct_trips_2019_03 is 'the second build'")
    assert models.figures(MARCH)["green"].total.trips == 3


def test_a_month_page_reads_one_month_and_the_whole_page_every_month(
    models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "taxi_platform")
    models.fill("green", MARCH)
    models.fill("yellow", APRIL, TRIPS[:3])
    assert set(models.figures(APRIL)) == {"yellow"}
    assert read_reported_months(models.url, {}) == [MARCH, APRIL]
    report = models.reports.write()
    assert report.trips == 11
    assert "2019-03 to 2019-04 · green taxi, yellow taxi" in text(report.path)
    assert caplog.messages[:2] == [
        "green_tripdata_2019-03.csv: 8 trips counted",
        "yellow_tripdata_2019-04.csv: 3 trips counted",
    ]


@pytest.mark.parametrize("built", [True, False])
def test_a_page_without_trips_or_models_names_the_commands(database: str, tmp_path: Path, built: bool) -> None:
    models = Models(database, tmp_path)
    if built:
        models.run(MODELS)
    for report in (models.reports.write(), models.reports.write(MARCH)):
        assert report.trips == 0
        assert "No month is loaded." in text(report.path)
        assert "taxi backfill green 2019-03" in text(report.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2019-03.html", "trips.html"]


def test_the_error_for_a_page_that_cannot_be_written_names_its_path(database: str, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file where the folder should be")
    with pytest.raises(StorageFull, match=r"trips\.html: .*reports/trips\.html cannot be written"):
        Reports(Server(database, tmp_path), tmp_path / "reports", "UTC").write()


def test_two_runs_that_write_a_page_at_once_do_not_disturb_each_other(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, replace = Barrier(2, timeout=60), Path.replace

    def wait_and_replace(path: Path, target: Path) -> Path:
        both.wait()  # so that both are written before one of them is moved
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", wait_and_replace)
    reports = Reports(Server(database, tmp_path), tmp_path / "reports", "UTC")
    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(reports.write) for _ in range(2)]
    assert [report.result().path.name for report in written] == ["trips.html", "trips.html"]
    assert [path.name for path in reports.folder.iterdir()] == ["trips.html"]


def test_dagster_records_pages_with_pictures(platform: Platform, models: Models, tmp_path: Path) -> None:
    models.fill("green", MARCH)
    models.fill("green", APRIL, TRIPS[:2])
    run = platform.run("monthly_report", months="2019-03...2019-04")
    assert run.succeeded, run.failure
    assert run.months("monthly_report") == ["2019-03", "2019-04"]
    march = run.of("monthly_report", "2019-03")
    assert (march["trips"], run.of("monthly_report", "2019-04")["trips"]) == (8, 2)
    assert Path(march["path"]) == tmp_path / "reports/2019-03.html"
    assert "fhv 2019-03" in march["notices"]
    pictures = {name: value for name, value in march.items() if name.startswith("picture: ")}
    assert {"picture: trips by day", "picture: when trips begin", "picture: how good the data is"} <= set(pictures)
    for picture in pictures.values():
        drawings = re.findall(r"!\[[^]]+\]\(data:image/svg\+xml;base64,([^)]+)\)", picture)
        assert drawings
        assert all(xml.fromstring(base64.b64decode(drawing)).tag.endswith("svg") for drawing in drawings)
    assert sum(map(len, pictures.values())) < 300_000

    whole = platform.run("trips_report")
    assert whole.of("trips_report")["trips"] == 10
    assert (tmp_path / "reports/trips.html").exists()


def test_a_database_that_does_not_answer_fails_the_report_with_its_reason(platform: Platform) -> None:
    platform.use(TAXI_POSTGRES_URL="postgresql://taxi@127.0.0.1:1/trips")
    run = platform.run("trips_report")
    assert not run.succeeded
    assert "nothing listens on the port" in run.failure


@pytest.mark.skipif(not DATA.is_dir(), reason="the real trip files are not in ../shared/data")
def test_a_real_month_has_its_published_figures_on_the_page(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm.use_for_dbt(monkeypatch)
    platform.use(TAXI_SOURCE=str(DATA))
    assert platform.run("green_tripdata", "taxi_zone_lookup", month="2020-04").succeeded
    built = [spec.key.to_user_string() for spec in platform.definitions().resolve_all_asset_specs()]
    models = [key for key in built if key.startswith(("stg_", "int_", "fct_", "dim_"))]
    run = platform.run(
        *models, "vendors", "rate_codes", "payment_types", "monthly_report", "trips_report", month="2020-04"
    )
    assert run.succeeded, run.failure
    (record,) = months_in_place(platform.database).values()
    assert (record.facts.rows, record.facts.csv_bytes, record.source.endswith(".csv.gz")) == (35_612, 3_210_216, True)

    april = next(iter(read_figures(platform.database, [Month(2020, 4)], {})))
    assert (april.total.trips, round(april.total.revenue, 2)) == (35_612, 701_002.26)
    assert (april.total.strays, april.total.without_vendor) == (6, 11_110)
    for distribution in (april.miles, april.fares, april.payments):
        assert sum(distribution.values()) == 35_612
    assert sum(total.trips for total in april.zones.values()) == 35_612
    assert sum(april.hours.values()) == sum(total.trips for total in april.days.values()) == 35_606

    for name in ("2020-04", "trips"):
        page = text(tmp_path / f"reports/{name}.html")
        for figure in ("35.6 k", "$701 k", "11,110 · 31.2 %", "6 · 0.02 %", "taxi backfill green 2020-01..2020-12"):
            assert figure in page
        assert "the models differ" not in page
