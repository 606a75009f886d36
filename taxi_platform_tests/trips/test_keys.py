"""The names of tables, files and assets, which users and other programs depend on."""

import pytest

from taxi_platform.trips.keys import assets_of, parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, service_of_table

MARCH = Month(2019, 3)


def test_files_and_tables_have_the_names_of_the_course() -> None:
    assert GREEN.table == "green_tripdata"
    assert GREEN.file_name(MARCH) == "green_tripdata_2019-03.csv"
    assert GREEN.partition_table(MARCH) == "green_tripdata_2019_03"


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_name_says_which_service_and_month_it_is(suffix: str) -> None:
    assert parse_file_name(GREEN.file_name(MARCH) + suffix) == (GREEN, MARCH)


@pytest.mark.parametrize(
    "name", ["", "green_tripdata_2019-13.csv", "green_tripdata_2019-3.csv", "green_tripdata_2019-03.txt", "zones.csv"]
)
def test_other_names_are_not_those_of_trip_files(name: str) -> None:
    assert parse_file_name(name) is None


def test_the_service_of_a_table_of_trips_is_found() -> None:
    assert [service_of_table(service.table) for service in SERVICES.values()] == list(SERVICES.values())
    assert service_of_table("taxi_zone_lookup") is None


def test_a_month_is_loaded_into_two_assets_and_with_google_cloud_into_four() -> None:
    assert assets_of(GREEN.table, cloud=False) == [("raw", "green_tripdata"), ("green_tripdata",)]
    assert assets_of(GREEN.table, cloud=True) == [
        ("raw", "green_tripdata"),
        ("green_tripdata",),
        ("gcs", "green_tripdata"),
        ("bigquery", "green_tripdata"),
    ]
