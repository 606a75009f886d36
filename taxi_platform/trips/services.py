"""The services' contracts: everything that differs between one kind of trips and another, in one entry each.

Adding a service means adding its columns in ``columns`` and its entry here, besides its dbt models and report panels:
assets, jobs, schedules, checks, tables, the sample and links follow from ``SERVICES``. How a table is built or a file
is read does not belong here.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taxi_platform.trips.columns import FHV_COLUMNS, FHVHV_COLUMNS, GREEN_COLUMNS, YELLOW_COLUMNS, Column
from taxi_platform.trips.months import Month

UNIQUE_ROW_ID = "The course's identifier of a trip: md5 of {columns}, concatenated without separators."
FILENAME = "The file that the row came from; the file's month is the row's month."

_IDENTITY_OF_METERED = ("pulocationid", "dolocationid", "fare_amount", "trip_distance")

FIRST_MONTH, RELEASED_UNTIL = Month(2019, 1), Month(2021, 7)  # of the course's release


@dataclass(frozen=True)
class Threshold:
    """The share of a month's rows that may break a rule before its check warns, and the reason for this number."""

    share: float
    why: str


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of the checks that warn.

    "Measured" is ten whole release files, green 2020-03 to 2020-12, 887,649 rows; ``docs/quality.md`` has a table.
    """

    strays: Threshold = Threshold(
        0.001,
        "Measured: 62 rows (0.007 %), at most 0.017 % of a month, from 2008 to 2041; "
        "more than 0.1 % looks like another month's file.",
    )
    backwards: Threshold = Threshold(
        0.001, "Measured: 20 rows (0.002 %); more than 0.1 % looks like exchanged columns or another time zone."
    )
    unknown_zones: Threshold = Threshold(
        0.0, "Measured: none, because unknown places are 264 and 265. One is enough to lose its trips in a join."
    )
    negative_totals: Threshold = Threshold(
        0.01, "Measured: 2,103 rows (0.24 %), at most 0.34 % of a month; more than 1 % would be seen in sums."
    )
    no_vendor: Threshold = Threshold(
        0.5,
        "Measured: 21 to 46 % of a green month lack it, so 50 % pass. "
        "More looks like a month that was published before it was complete.",
    )
    duplicates: Threshold = Threshold(
        0.0, "Measured: none, but 2,052 rows would share an id without fare and distance."
    )


@dataclass(frozen=True)
class SampleProfile:
    """What the sample's made-up months look like: round figures of real size, none of them a real month's.

    Attributes:
        thousands: thousands of trips in a typical month, from each named month on; the first is 2009-01, before some
            services existed, so that any month can be made.
        unmetered: per mille of a month's trips that are reported without their meters, from each named month on.
        vendors, rates, payments: how often each code occurs, from 1 on, compared with the others.
        congestion_per_mille: how many of 1,000 trips pay the congestion surcharge.
        unmetered_extra_cents: the ``extra`` of trips without a meter.
    """

    thousands: tuple[tuple[str, int], ...]
    unmetered: tuple[tuple[str, int], ...] = (("2009-01", 0),)
    median_miles: float = 2.5
    vendors: tuple[int, ...] = (1, 1)
    rates: tuple[int, ...] = (1,)
    payments: tuple[int, ...] = (1, 1)
    congestion_cents: int = 275
    congestion_per_mille: int = 500
    unmetered_extra_cents: int = 0


@dataclass(frozen=True)
class Service:
    """The contract of one kind of trips.

    Attributes:
        dictionary: its name in the address of the TLC's data dictionary.
        columns: the columns of the table, in the order of the published header; those with ``since`` come last.
        identity: the columns whose values make ``unique_row_id``, in the order of the md5.
        schedule_hour: the hour of its schedule on the first of every month. Each service has another, as in the
            course, so that they do not compete for one database.
        colours: of its marks in charts, on a light and on a dark page; see ``reports/charts`` for the contrast.
        words: other words by which people name it in a question, in lower case without hyphens.
        first_month: the first partition, where ``TAXI_FIRST_MONTH`` does not name one.
        last_month: the last month that is published; None while months are added.
        released_until: the last month of the course's release; None if the service is not in it.
        publication_lag: how many months after it a month is published at the earliest: 2 means that January can be
            there in March.
        overdue_days: how many days after its end a month may be missing before a check warns. The TLC has taken two to
            four months (at the start of 2026-09, May was the newest), so four of them pass.
        run_memory_mib: the memory that Kubernetes reserves for a run of its job: a third more than its largest month
            takes (``docs/performance.md``).
    """

    name: str
    title: str
    description: str
    dictionary: str
    columns: tuple[Column, ...]
    pickup: str
    dropoff: str
    identity: tuple[str, ...]
    schedule_hour: int
    colours: tuple[str, str]
    sample: SampleProfile = field(repr=False)
    thresholds: Thresholds = field(default_factory=Thresholds, repr=False)
    reported_by: str = "vendor"
    words: tuple[str, ...] = ()
    first_month: Month = FIRST_MONTH
    last_month: Month | None = None
    released_until: Month | None = RELEASED_UNTIL
    publication_lag: int = 2
    overdue_days: int = 124
    run_memory_mib: int = 512

    @property
    def table(self) -> str:
        """The name of its table and of the asset that is the table, e.g. ``green_tripdata``."""
        return f"{self.name}_tripdata"

    @property
    def first_columns(self) -> tuple[Column, ...]:
        """The columns that every table was made with; later ones do not require that loaded months are loaded again."""
        return tuple(column for column in self.columns if column.since is None)

    def columns_of(self, month: Month) -> tuple[Column, ...]:
        """Return the columns that the published file of a month has."""
        return tuple(column for column in self.columns if column.since is None or column.since <= month)

    def column(self, name: str) -> Column:
        """Return the column with this database name; raise ``KeyError`` if it does not exist."""
        return {column.name: column for column in self.columns}[name]

    def has(self, name: str) -> bool:
        """Return whether there is a column with this database name."""
        return any(column.name == name for column in self.columns)

    def file_name(self, month: Month) -> str:
        """Return the name of a month's uncompressed file, e.g. ``green_tripdata_2019-03.csv``."""
        return f"{self.table}_{month}.csv"

    def partition_table(self, month: Month) -> str:
        """Return the name of the table that holds one month, e.g. ``green_tripdata_2019_03``."""
        return f"{self.table}_{month.year:04d}_{month.month:02d}"


def _volumes(service: str) -> tuple[tuple[str, int], ...]:
    """Return the ``thousands`` of a service's sample, which are in a file because they are many."""
    with Path(__file__).with_name("sample_volumes.csv").open(encoding="utf-8", newline="") as file:
        return tuple((row["from"], int(row["thousands"])) for row in csv.DictReader(file) if row["service"] == service)


YELLOW = Service(
    name="yellow",
    title="Yellow taxi",
    description="Trips of yellow taxis, which may be hailed anywhere in New York City.",
    dictionary="yellow",
    columns=YELLOW_COLUMNS,
    pickup="tpep_pickup_datetime",
    dropoff="tpep_dropoff_datetime",
    identity=("vendorid", "tpep_pickup_datetime", "tpep_dropoff_datetime", *_IDENTITY_OF_METERED),
    schedule_hour=10,
    colours=("#b57400", "#f2b632"),
    thresholds=Thresholds(
        no_vendor=Threshold(
            0.1,
            "Yellow files have far fewer rows without a vendor than green ones (21 to 46 %), so 10 % pass. "
            "More looks like a month that was published before it was complete.",
        )
    ),
    sample=SampleProfile(
        thousands=_volumes("yellow"),
        unmetered=(("2009-01", 0), ("2019-07", 6), ("2020-01", 10), ("2020-04", 70)),
        median_miles=1.65,
        vendors=(35, 65),
        rates=(3960, 95, 10, 3, 27, 1),
        payments=(2880, 1170, 30, 15, 1),
        congestion_cents=250,
        congestion_per_mille=915,
        unmetered_extra_cents=275,
    ),
)

GREEN = Service(
    name="green",
    title="Green taxi",
    description="Trips of green taxis, which may be hailed outside Manhattan's core and the airports.",
    dictionary="green",
    columns=GREEN_COLUMNS,
    pickup="lpep_pickup_datetime",
    dropoff="lpep_dropoff_datetime",
    identity=("vendorid", "lpep_pickup_datetime", "lpep_dropoff_datetime", *_IDENTITY_OF_METERED),
    schedule_hour=9,
    run_memory_mib=384,
    colours=("#1f8a57", "#46c98b"),
    sample=SampleProfile(
        thousands=_volumes("green"),
        unmetered=(("2009-01", 0), ("2019-07", 150), ("2020-01", 280), ("2020-04", 360)),
        median_miles=1.9,
        vendors=(17, 83),
        rates=(3920, 8, 3, 2, 162, 1),
        payments=(2240, 1820, 25, 10, 1),
        congestion_cents=275,
        congestion_per_mille=183,
    ),
)

FHV = Service(
    name="fhv",
    title="For-hire vehicle",
    description="Trips of for-hire vehicles, dispatched by the bases of black cars, liveries and small apps.",
    dictionary="fhv",
    columns=FHV_COLUMNS,
    pickup="pickup_datetime",
    dropoff="dropoff_datetime",
    identity=(
        "dispatching_base_num",
        "pickup_datetime",
        "dropoff_datetime",
        "pulocationid",
        "dolocationid",
        "affiliated_base_number",
    ),
    schedule_hour=11,
    colours=("#5a55d6", "#a09cff"),
    thresholds=Thresholds(
        duplicates=Threshold(0.01, "Bases report some trips twice: 1 of the 1,800 rows measured; 1 % pass.")
    ),
    sample=SampleProfile(thousands=_volumes("fhv")),
    reported_by="base",
    words=("for hire",),
    overdue_days=155,  # published from the reports of hundreds of bases, it has come later than the rest
)

FHVHV = Service(
    name="fhvhv",
    title="High-volume for-hire vehicle",
    description="Trips of high-volume for-hire vehicles: those of Uber, Lyft, Via and Juno.",
    dictionary="hvfhs",
    columns=FHVHV_COLUMNS,
    pickup="pickup_datetime",
    dropoff="dropoff_datetime",
    identity=(
        "hvfhs_license_num",
        "dispatching_base_num",
        "request_datetime",
        "pickup_datetime",
        "dropoff_datetime",
        "pulocationid",
        "dolocationid",
        "trip_miles",
        "base_passenger_fare",
    ),
    schedule_hour=12,
    run_memory_mib=640,
    colours=("#b5486f", "#f08cae"),
    thresholds=Thresholds(
        duplicates=Threshold(
            0.0001,
            "An app writes every trip once; of 20 million rows some share even their second, zones, miles and fare, "
            "such as two parties picked up together. More than 0.01 % looks like rows that were published twice.",
        ),
        backwards=Threshold(
            0.001, "Apps write both times; more than 0.1 % looks like exchanged columns or another time zone."
        ),
    ),
    sample=SampleProfile(thousands=_volumes("fhvhv"), median_miles=2.9),
    reported_by="base",
    words=("high volume", "uber", "lyft"),
    released_until=None,
)

SERVICES: Mapping[str, Service] = {service.name: service for service in (GREEN, YELLOW, FHV, FHVHV)}

SMALLEST = GREEN
"""The service with the smallest files, for demos and to ask a source whether it answers."""


def service_of_table(table: str) -> Service | None:
    """Return the service whose table has this name; None when the table holds no trips."""
    return next((service for service in SERVICES.values() if service.table == table), None)


def column_comments(service: Service) -> dict[str, str]:
    """Return what each column of the service's table means, in any database."""
    return {
        "unique_row_id": UNIQUE_ROW_ID.format(columns=", ".join(service.identity)),
        "filename": FILENAME,
        **{column.name: column.documentation for column in service.columns},
    }
