"""The columns of the trip files: names, types and meanings, and which of them each service's files have.

Order and types are those of the Data Engineering Zoomcamp's module 2, meanings those of the TLC's data dictionaries.
Everything else that differs between services belongs in ``services``.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from taxi_platform.trips.months import Month

PostgresType = Literal["text", "timestamp", "integer", "double precision"]
BigQueryType = Literal["STRING", "TIMESTAMP", "INTEGER", "NUMERIC"]


@dataclass(frozen=True)
class Column:
    """One column of a trip file.

    Attributes:
        source: its name in the file's header, as the TLC spells it.
        unit: what its numbers count, if they count something.
        aliases: other names that published files use for it.
        is_code: a text that is always a whole number; ``1.0`` is a float's spelling of ``1``.
        since: the first month whose files have it; files of earlier months may lack it, and it is then NULL. Tables
            that were made before the contract had it get it by ALTER TABLE, and their months stay as they were loaded.
        optional: files of any month may lack it; it is then NULL.
    """

    source: str
    description: str
    postgres: PostgresType
    bigquery: BigQueryType
    unit: str | None = None
    aliases: tuple[str, ...] = ()
    is_code: bool = False
    since: Month | None = None
    optional: bool = False

    @property
    def name(self) -> str:
        """Its name in every database: the header's name in lower case."""
        return self.source.lower()

    def may_lack(self, month: Month | None) -> bool:
        """Return whether a file of this month may lack the column."""
        return self.optional or (self.since is not None and (month is None or month < self.since))

    @property
    def documentation(self) -> str:
        """The description with the unit, as shown in the database and in Dagster's UI."""
        return f"{self.description} Unit: {self.unit}." if self.unit else self.description


_code = partial(Column, postgres="text", bigquery="STRING", is_code=True)
_text = partial(Column, postgres="text", bigquery="STRING")
_moment = partial(Column, postgres="timestamp", bigquery="TIMESTAMP", unit="local time in New York")
_count = partial(Column, postgres="integer", bigquery="INTEGER")
_dollars = partial(Column, postgres="double precision", bigquery="NUMERIC", unit="US dollars")
_miles = partial(Column, postgres="double precision", bigquery="NUMERIC", unit="miles")

_VENDOR = _code(
    "VendorID",
    "The provider of the record: 1 Creative Mobile Technologies, 2 VeriFone. "
    "Empty in the block of trips that the vendors report without their meters.",
)
_STORE_AND_FORWARD = _text(
    "store_and_fwd_flag", "Y when the record was held in the vehicle because it had no connection, else N."
)
_RATE_CODE = _code(
    "RatecodeID",
    "The rate at the end of the trip: 1 standard, 2 JFK, 3 Newark, 4 Nassau or Westchester, "
    "5 negotiated, 6 group ride, 99 unknown.",
)
_ZONES = (
    _code("PULocationID", "The TLC taxi zone in which the meter was engaged."),
    _code("DOLocationID", "The TLC taxi zone in which the meter was disengaged."),
)
_PASSENGERS = _count("passenger_count", "The number of passengers, as the driver entered it.", unit="passengers")
_DISTANCE = _miles("trip_distance", "The distance that the taximeter reported.")
_CHARGES = (
    _dollars("fare_amount", "The fare by time and distance that the meter calculated."),
    _dollars("extra", "Surcharges for rush hours and nights, among others."),
    _dollars("mta_tax", "The MTA tax that the metered rate triggers."),
    _dollars("tip_amount", "The tip paid by card; cash tips are not recorded."),
    _dollars("tolls_amount", "All tolls paid on the trip."),
)
_IMPROVEMENT = _dollars("improvement_surcharge", "The improvement surcharge levied at the flag drop since 2015.")
_TOTAL = _dollars("total_amount", "What passengers were charged in all, without cash tips.")
_PAYMENT = _count(
    "payment_type", "How the passenger paid: 1 credit card, 2 cash, 3 no charge, 4 dispute, 5 unknown, 6 voided trip."
)
_CONGESTION = _dollars("congestion_surcharge", "The New York State congestion surcharge, levied since February 2019.")
_AIRPORT = _dollars(
    "Airport_fee",
    "The fee for pickups at LaGuardia and John F. Kennedy airports. The course's release lacks it.",
    since=Month(2021, 8),
)
_CBD = _dollars(
    "cbd_congestion_fee",
    "The MTA's congestion fee for trips in Manhattan's central business district, levied since 2025.",
    since=Month(2025, 1),
)
_REQUEST_SOURCE = _text(
    "request_source",
    "Where an app's request came from, in rows without meter data. The TLC's data dictionaries do not describe it. "
    "Seen: A, CC, EH0004, EH0010, HV0003, HV0005.",
    since=Month(2026, 6),
)


YELLOW_COLUMNS: tuple[Column, ...] = (
    _VENDOR,
    _moment("tpep_pickup_datetime", "When the meter was engaged."),
    _moment("tpep_dropoff_datetime", "When the meter was disengaged."),
    _PASSENGERS,
    _DISTANCE,
    _RATE_CODE,
    _STORE_AND_FORWARD,
    *_ZONES,
    _PAYMENT,
    *_CHARGES,
    _IMPROVEMENT,
    _TOTAL,
    _CONGESTION,
    _AIRPORT,
    _CBD,
    _REQUEST_SOURCE,
)

GREEN_COLUMNS: tuple[Column, ...] = (
    _VENDOR,
    _moment("lpep_pickup_datetime", "When the meter was engaged."),
    _moment("lpep_dropoff_datetime", "When the meter was disengaged."),
    _STORE_AND_FORWARD,
    _RATE_CODE,
    *_ZONES,
    _PASSENGERS,
    _DISTANCE,
    *_CHARGES,
    _dollars("ehail_fee", "The fee for electronic hails; never filled in by the published files."),
    _IMPROVEMENT,
    _TOTAL,
    _PAYMENT,
    Column("trip_type", "How the trip began: 1 street hail, 2 dispatch.", "integer", "STRING"),
    _CONGESTION,
    _CBD,
    _REQUEST_SOURCE,
)

FHV_COLUMNS: tuple[Column, ...] = (
    _text(
        "dispatching_base_num",
        "The TLC licence number of the base that dispatched the trip.",
        aliases=("Dispatching_base_number",),
    ),
    _moment("pickup_datetime", "When the trip began."),
    _moment("dropOff_datetime", "When the trip ended."),
    _code("PUlocationID", "The TLC taxi zone in which the trip began."),
    _code("DOlocationID", "The TLC taxi zone in which the trip ended."),
    _code("SR_Flag", "1 when the trip was part of a shared ride, else empty."),
    _text(
        "Affiliated_base_number",
        "The TLC licence number of the base with which the vehicle is affiliated.",
        optional=True,
    ),
)

FHVHV_COLUMNS: tuple[Column, ...] = (
    _text(
        "hvfhs_license_num",
        "The TLC licence number of the company: HV0002 Juno, HV0003 Uber, HV0004 Via, HV0005 Lyft.",
    ),
    _text("dispatching_base_num", "The TLC licence number of the base that dispatched the trip."),
    _text("originating_base_num", "The TLC licence number of the base that received the request."),
    _moment("request_datetime", "When the passenger requested the trip."),
    _moment("on_scene_datetime", "When the driver arrived; filled in for wheelchair-accessible trips only."),
    _moment("pickup_datetime", "When the trip began."),
    _moment("dropoff_datetime", "When the trip ended."),
    _code("PULocationID", "The TLC taxi zone in which the trip began."),
    _code("DOLocationID", "The TLC taxi zone in which the trip ended."),
    _miles("trip_miles", "The distance of the trip."),
    _count("trip_time", "The time from pickup to drop-off.", unit="seconds"),
    _dollars("base_passenger_fare", "The fare before tolls, tips, taxes and fees."),
    _dollars("tolls", "All tolls paid on the trip."),
    _dollars("bcf", "The part of the fare that goes to the Black Car Fund."),
    _dollars("sales_tax", "The New York State sales tax."),
    _CONGESTION,
    _dollars("airport_fee", "The fee for trips to and from LaGuardia, Newark and Kennedy airports."),
    _dollars("tips", "The tip that the passenger gave in the app."),
    _dollars("driver_pay", "What the driver was paid, without tolls and tips, after commission and taxes."),
    _text("shared_request_flag", "Y when the passenger agreed to share the trip, else N."),
    _text("shared_match_flag", "Y when the passenger did share it with a separate booking, else N."),
    _text("access_a_ride_flag", "Y when the MTA administered the trip (Access-A-Ride), else N or empty."),
    _text("wav_request_flag", "Y when a wheelchair-accessible vehicle was requested, else N."),
    _text("wav_match_flag", "Y when the vehicle was wheelchair-accessible, else N; empty until 2019-03."),
    _CBD,
)
