"""The tables of the warehouse: their names, columns, clustering and versions follow from the contracts."""

import dataclasses

import pytest

from taxi_platform.bigquery import tables
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.trips.files import FileFacts, SourceVersion, TripFile
from taxi_platform.trips.headers import match_header
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW
from taxi_platform_tests.support.trip_texts import header

CLOUD = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp")


FILE = TripFile(
    service="green",
    month=Month(2019, 3),
    source="s",
    uri="gs://b/o",
    version=SourceVersion(None, None, None),
    facts=FileFacts(bytes=1, csv_bytes=2, sha256="ab" * 32, rows=3),
)


def test_tables_are_named_with_project_and_dataset() -> None:
    assert tables.table_of(CLOUD, GREEN) == "trips-123.zoomcamp.green_tripdata"
    assert tables.rejects_of(CLOUD, GREEN) == "trips-123.zoomcamp.green_tripdata_rejects"
    staged = tables.staging_of(tables.table_of(CLOUD, GREEN), Month(2019, 3), "1a2b_0")
    assert staged == "trips-123.zoomcamp.green_tripdata_2019_03_staging_1a2b_0"


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_table_has_the_contracts_columns_with_their_meanings_between_ids_and_month(service) -> None:
    fields = tables.trip_fields(service)
    assert [field.name for field in fields[:2]] == ["unique_row_id", "filename"]
    assert [field.name for field in fields[-2:]] == ["file_month", "file_version"]
    assert [(field.name, field.kind, field.description) for field in fields[2:-2]] == [
        (column.name, column.bigquery, column.documentation) for column in service.columns
    ]
    assert all(field.description for field in fields)


def test_rows_of_a_month_are_sorted_by_pickup() -> None:
    assert list(tables.clustering(GREEN)) == ["lpep_pickup_datetime", "pulocationid"]
    assert list(tables.clustering(YELLOW)) == ["tpep_pickup_datetime", "pulocationid"]
    assert list(tables.clustering(FHV)) == ["pickup_datetime", "pulocationid"]


def test_everything_is_staged_as_text_in_the_order_of_the_file() -> None:
    names = header(FHV).split(",")[:-1][::-1]
    staged = tables.staged_fields(match_header(FHV, ",".join(names).encode() + b"\n", "a file").columns)
    assert [field.name for field in staged] == [name.lower() for name in names]
    assert {field.kind for field in staged} == {"STRING"}


def test_the_version_depends_on_the_file_and_on_the_contract() -> None:
    version = tables.version_of(GREEN, FILE)
    assert -(2**63) <= version < 2**63
    assert tables.version_of(GREEN, FILE) == version
    assert (
        tables.version_of(GREEN, dataclasses.replace(FILE, source="elsewhere", version=SourceVersion("x", None, None)))
        == version
    )
    assert (
        tables.version_of(GREEN, dataclasses.replace(FILE, facts=dataclasses.replace(FILE.facts, sha256="cd" * 32)))
        != version
    )
    other = dataclasses.replace(GREEN, columns=(dataclasses.replace(GREEN.columns[0], bigquery="INTEGER"),))
    assert tables.version_of(other, FILE) != version


def test_months_that_version_0_1_has_loaded_are_recognised() -> None:
    versions = {name: tables.version_of(SERVICES[name], FILE) for name in ("green", "yellow", "fhv")}
    assert versions == {
        "green": -1384338112379779932,
        "yellow": 3379191632554443662,
        "fhv": 5439605156202188232,
    }
