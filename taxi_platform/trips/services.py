"""The services' contracts: which columns a trip file has, what they mean, and how they are stored.

Every schema derives from here: table definitions, COPY lists, the warehouse's schema, comments in the
database and the descriptions in Dagster's UI. How a table is built or a file is read does not belong here.

Sources: column order and types are those of the Data Engineering Zoomcamp's module 2; meanings are taken from
the TLC's data dictionaries of yellow, green and for-hire-vehicle trip records.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from taxi_platform.trips.keys import file_name, partition_name, table_name
from taxi_platform.trips.months import Month

PostgresType = Literal["text", "timestamp", "integer", "double precision"]
BigQueryType = Literal["STRING", "TIMESTAMP", "INTEGER", "NUMERIC"]

# What the course's release publishes; of fhv all of 2019 is certain, and later months answer for themselves.
FIRST_MONTH = Month(2019, 1)
LAST_MONTH = Month(2021, 7)


@dataclass(frozen=True)
class Column:
    """One column of a trip file.

    Attributes:
        source: its name in the file's header, as the TLC spells it.
        postgres: its type in PostgreSQL.
        bigquery: its type in BigQuery.
        description: what it means.
        unit: what its numbers count, if they count something.
        aliases: other names under which published files carry it.
        is_code: a text that is always a whole number; ``1.0`` is a float's spelling of ``1``.
        optional: published files may lack it; it is then NULL.
    """

    source: str
    postgres: PostgresType
    bigquery: BigQueryType
    description: str
    unit: str | None = None
    aliases: tuple[str, ...] = ()
    is_code: bool = False
    optional: bool = False

    @property
    def name(self) -> str:
        """Its name in every database: the header's name in lower case."""
        return self.source.lower()

    @property
    def documentation(self) -> str:
        """The description with the unit, as shown in the database and in Dagster's UI."""
        return f"{self.description} Unit: {self.unit}." if self.unit else self.description


_code = partial(Column, postgres="text", bigquery="STRING", is_code=True)
_text = partial(Column, postgres="text", bigquery="STRING")
_moment = partial(Column, postgres="timestamp", bigquery="TIMESTAMP", unit="local time in New York")
_count = partial(Column, postgres="integer", bigquery="INTEGER")
_dollars = partial(Column, postgres="double precision", bigquery="NUMERIC", unit="US dollars")

_VENDOR = _code(
    "VendorID",
    description="The provider of the record: 1 Creative Mobile Technologies, 2 VeriFone. "
    "Empty in the block of trips that the vendors report without their meters.",
)
_STORE_AND_FORWARD = _text(
    "store_and_fwd_flag",
    description="Y when the record was held in the vehicle because it had no connection, else N.",
)
_RATE_CODE = _code(
    "RatecodeID",
    description="The rate at the end of the trip: 1 standard, 2 JFK, 3 Newark, 4 Nassau or Westchester, "
    "5 negotiated, 6 group ride, 99 unknown.",
)
_PICKUP_ZONE = _code("PULocationID", description="The TLC taxi zone in which the meter was engaged.")
_DROPOFF_ZONE = _code("DOLocationID", description="The TLC taxi zone in which the meter was disengaged.")
_PASSENGERS = _count(
    "passenger_count",
    description="The number of passengers, as the driver entered it.",
    unit="passengers",
)
_DISTANCE = Column(
    "trip_distance",
    postgres="double precision",
    bigquery="NUMERIC",
    description="The distance that the taximeter reported.",
    unit="miles",
)
_FARE = _dollars("fare_amount", description="The fare by time and distance that the meter calculated.")
_EXTRA = _dollars("extra", description="Surcharges for rush hours and nights, among others.")
_MTA_TAX = _dollars("mta_tax", description="The MTA tax that the metered rate triggers.")
_TIP = _dollars("tip_amount", description="The tip paid by card; cash tips are not recorded.")
_TOLLS = _dollars("tolls_amount", description="All tolls paid on the trip.")
_IMPROVEMENT = _dollars(
    "improvement_surcharge",
    description="The improvement surcharge levied at the flag drop since 2015.",
)
_TOTAL = _dollars("total_amount", description="What passengers were charged in all, without cash tips.")
_PAYMENT = _count(
    "payment_type",
    description="How the passenger paid: 1 credit card, 2 cash, 3 no charge, 4 dispute, 5 unknown, 6 voided trip.",
)
_CONGESTION = _dollars(
    "congestion_surcharge",
    description="The New York State congestion surcharge, levied since February 2019.",
)


@dataclass(frozen=True)
class Service:
    """The contract of one kind of trips.

    Attributes:
        name: ``green``, ``yellow`` or ``fhv``.
        title: its name for people.
        description: what the trips are.
        columns: the file's columns, in the order of the published header and of the table.
        pickup: the name of the column with the start of the trip.
        dropoff: the name of the column with its end.
        identity: the names of the columns whose values make ``unique_row_id``, in the order of the md5.
        first_month: the first month that the default source covers.
        last_month: the last month that the default source covers.
    """

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    pickup: str
    dropoff: str
    identity: tuple[str, ...]
    first_month: Month = FIRST_MONTH
    last_month: Month = LAST_MONTH

    @property
    def table(self) -> str:
        """The name of its table and of the asset that is the table, e.g. ``green_tripdata``."""
        return table_name(self.name)

    def column(self, name: str) -> Column:
        """The column with this database name.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def has(self, name: str) -> bool:
        """Whether there is a column with this database name."""
        return any(column.name == name for column in self.columns)

    def file_name(self, month: Month) -> str:
        """The name of a month's uncompressed file, e.g. ``green_tripdata_2019-03.csv``."""
        return file_name(self.name, month)

    def partition_table(self, month: Month) -> str:
        """The name of the table that holds one month, e.g. ``green_tripdata_2019_03``."""
        return partition_name(self.name, month)


YELLOW = Service(
    name="yellow",
    title="Yellow taxi",
    description="Trips of yellow taxis, which may be hailed anywhere in New York City.",
    columns=(
        _VENDOR,
        _moment("tpep_pickup_datetime", description="When the meter was engaged."),
        _moment("tpep_dropoff_datetime", description="When the meter was disengaged."),
        _PASSENGERS,
        _DISTANCE,
        _RATE_CODE,
        _STORE_AND_FORWARD,
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        _PAYMENT,
        _FARE,
        _EXTRA,
        _MTA_TAX,
        _TIP,
        _TOLLS,
        _IMPROVEMENT,
        _TOTAL,
        _CONGESTION,
    ),
    pickup="tpep_pickup_datetime",
    dropoff="tpep_dropoff_datetime",
    identity=(
        "vendorid",
        "tpep_pickup_datetime",
        "tpep_dropoff_datetime",
        "pulocationid",
        "dolocationid",
        "fare_amount",
        "trip_distance",
    ),
)

GREEN = Service(
    name="green",
    title="Green taxi",
    description="Trips of green taxis, which may be hailed outside Manhattan's core and the airports.",
    columns=(
        _VENDOR,
        _moment("lpep_pickup_datetime", description="When the meter was engaged."),
        _moment("lpep_dropoff_datetime", description="When the meter was disengaged."),
        _STORE_AND_FORWARD,
        _RATE_CODE,
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        _PASSENGERS,
        _DISTANCE,
        _FARE,
        _EXTRA,
        _MTA_TAX,
        _TIP,
        _TOLLS,
        _dollars("ehail_fee", description="The fee for electronic hails; never filled in by the published files."),
        _IMPROVEMENT,
        _TOTAL,
        _PAYMENT,
        Column(
            "trip_type",
            postgres="integer",
            bigquery="STRING",
            description="How the trip began: 1 street hail, 2 dispatch.",
        ),
        _CONGESTION,
    ),
    pickup="lpep_pickup_datetime",
    dropoff="lpep_dropoff_datetime",
    identity=(
        "vendorid",
        "lpep_pickup_datetime",
        "lpep_dropoff_datetime",
        "pulocationid",
        "dolocationid",
        "fare_amount",
        "trip_distance",
    ),
)

FHV = Service(
    name="fhv",
    title="For-hire vehicle",
    description="Trips of for-hire vehicles, dispatched by the bases of black cars, liveries and small apps.",
    columns=(
        _text(
            "dispatching_base_num",
            description="The TLC licence number of the base that dispatched the trip.",
            aliases=("Dispatching_base_number",),
        ),
        _moment("pickup_datetime", description="When the trip began."),
        _moment("dropOff_datetime", description="When the trip ended."),
        _code("PUlocationID", description="The TLC taxi zone in which the trip began."),
        _code("DOlocationID", description="The TLC taxi zone in which the trip ended."),
        _code("SR_Flag", description="1 when the trip was part of a shared ride, else empty."),
        _text(
            "Affiliated_base_number",
            description="The TLC licence number of the base with which the vehicle is affiliated.",
            optional=True,
        ),
    ),
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
)

SERVICES: Mapping[str, Service] = {service.name: service for service in (GREEN, YELLOW, FHV)}


def service_of_table(table: str) -> Service | None:
    """Return the service whose table has this name; None when the table holds no trips."""
    return next((service for service in SERVICES.values() if service.table == table), None)
