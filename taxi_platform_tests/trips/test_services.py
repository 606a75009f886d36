"""The contracts, compared with the course's own tables, which are copied here."""

from dataclasses import replace

import pytest

from taxi_platform.postgres.tables import fingerprint
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service

YELLOW_COLUMNS = """
    VendorID text, tpep_pickup_datetime timestamp, tpep_dropoff_datetime timestamp, passenger_count integer,
    trip_distance double precision, RatecodeID text, store_and_fwd_flag text, PULocationID text, DOLocationID text,
    payment_type integer, fare_amount double precision, extra double precision, mta_tax double precision,
    tip_amount double precision, tolls_amount double precision, improvement_surcharge double precision,
    total_amount double precision, congestion_surcharge double precision
"""
GREEN_COLUMNS = """
    VendorID text, lpep_pickup_datetime timestamp, lpep_dropoff_datetime timestamp, store_and_fwd_flag text,
    RatecodeID text, PULocationID text, DOLocationID text, passenger_count integer, trip_distance double precision,
    fare_amount double precision, extra double precision, mta_tax double precision, tip_amount double precision,
    tolls_amount double precision, ehail_fee double precision, improvement_surcharge double precision,
    total_amount double precision, payment_type integer, trip_type integer, congestion_surcharge double precision
"""
FHV_COLUMNS = """
    dispatching_base_num text, pickup_datetime timestamp, dropOff_datetime timestamp, PUlocationID text,
    DOlocationID text, SR_Flag text, Affiliated_base_number text
"""
ALL = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


@pytest.mark.parametrize(
    ("service", "columns"),
    [(YELLOW, YELLOW_COLUMNS), (GREEN, GREEN_COLUMNS), (FHV, FHV_COLUMNS)],
    ids=["yellow", "green", "fhv"],
)
def test_the_columns_are_the_courses_in_its_order_and_types(service: Service, columns: str) -> None:
    expected = [tuple(column.split(maxsplit=1)) for column in " ".join(columns.split()).split(",")]
    assert [(column.source, column.postgres) for column in service.first_columns] == expected


@ALL
def test_no_two_columns_share_a_name_or_an_alias(service: Service) -> None:
    names = [name.lower() for column in service.columns for name in (column.source, *column.aliases)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("service", "columns"),
    [
        (GREEN, "vendorid {}pickup_datetime {}dropoff_datetime pulocationid dolocationid fare_amount trip_distance"),
        (YELLOW, "vendorid {}pickup_datetime {}dropoff_datetime pulocationid dolocationid fare_amount trip_distance"),
        (
            FHV,
            "dispatching_base_num pickup_datetime dropoff_datetime pulocationid dolocationid affiliated_base_number",
        ),
    ],
    ids=["green", "yellow", "fhv"],
)
def test_a_trip_is_identified_as_in_the_course(service: Service, columns: str) -> None:
    prefix = {"green": "lpep_", "yellow": "tpep_", "fhv": ""}[service.name]
    assert " ".join(service.identity) == columns.replace("{}", prefix)
    assert service.column(service.pickup).postgres == "timestamp"


@ALL
def test_everything_is_described_in_sentences(service: Service) -> None:
    for text in (service.description, *(column.documentation for column in service.columns)):
        assert text[0].isalnum()
        assert text[0] == text[0].upper()
        assert text.endswith(".")


@pytest.mark.parametrize(
    ("postgres", "bigquery"),
    [("timestamp", "TIMESTAMP"), ("integer", "INTEGER"), ("double precision", "NUMERIC"), ("text", "STRING")],
)
def test_the_warehouse_has_the_courses_types(postgres: str, bigquery: str) -> None:
    for service in SERVICES.values():
        for column in service.columns:
            if column.postgres == postgres:
                expected = "STRING" if column.name == "trip_type" else bigquery
                assert column.bigquery == expected, column.name


def test_codes_are_texts_that_hold_whole_numbers() -> None:
    codes = [column for service in SERVICES.values() for column in service.columns if column.is_code]
    assert {column.name for column in codes} == {"vendorid", "ratecodeid", "pulocationid", "dolocationid", "sr_flag"}
    assert {column.postgres for column in codes} == {"text"}


def test_columns_that_came_later_are_the_last_and_files_have_them_from_a_month_on() -> None:
    for service in SERVICES.values():
        assert service.columns[: len(service.first_columns)] == service.first_columns
        assert service.columns_of(Month(2021, 7)) == service.first_columns
    later = [column.name for column in YELLOW.columns_of(Month(2025, 1)) if column.since]
    assert later == ["airport_fee", "cbd_congestion_fee"]
    assert [column.name for column in GREEN.columns_of(Month(2026, 6)) if column.since] == [
        "cbd_congestion_fee",
        "request_source",
    ]


@ALL
def test_only_a_change_of_a_rows_values_makes_loaded_months_count_as_changed(service: Service) -> None:
    *others, last = service.first_columns
    spelled_differently, later = replace(last, aliases=("another",), optional=True), replace(last, since=Month(2030, 1))
    same = replace(service, columns=(*others, spelled_differently, later), schedule_hour=3, overdue_days=1)
    assert fingerprint(same) == fingerprint(service)
    other = replace(service, columns=(*others, replace(last, postgres="timestamp")))
    assert fingerprint(other) != fingerprint(service)


def test_no_two_services_load_at_the_same_hour_or_have_the_same_colours() -> None:
    assert len({service.schedule_hour for service in SERVICES.values()}) == len(SERVICES)
    assert len({colour for service in SERVICES.values() for colour in service.colours}) == 2 * len(SERVICES)
