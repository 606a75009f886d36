"""The SQL for BigQuery: compared byte for byte with snapshots, and parsed in BigQuery's dialect."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import expressions as exp

from taxi_platform.bigquery import statements, tables
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, Service
from taxi_platform_tests.support.trip_texts import header

SNAPSHOTS = Path(__file__).parent / "statements"
MONTH = Month(2019, 3)
TABLE = "trips-123.zoomcamp.{}_tripdata"


def header_of(service: Service, *, shortened: bool = False) -> Header:
    names = header(service).split(",")
    return match_header(service, ",".join(names[:-1] if shortened else names).encode() + b"\n", "a file")


def trips(service: Service, *, shortened: bool = False, canonical: bool = False) -> str:
    columns = service.columns if canonical else header_of(service, shortened=shortened).columns
    staging = tables.staging_of(TABLE.format(service.name), MONTH, "1a2b_0")
    return statements.staged_trips(service, MONTH, columns, 42, staging, canonical=canonical)


def every_statement() -> Iterator[tuple[str, str]]:
    """Yield the snapshot's name and the text of each statement that the platform sends."""
    for service in SERVICES.values():
        yield f"trips_{service.name}", trips(service)
        yield f"summary_{service.name}", statements.summary(service, TABLE.format(service.name), MONTH)
    yield "trips_green_canonical", trips(GREEN, canonical=True)
    yield "trips_fhv_of_six_columns", trips(FHV, shortened=True)
    table = TABLE.format("green")
    yield "rejects", statements.staged_rejects(GREEN, MONTH, -42, tables.staging_of(table, MONTH, "1a2b_0"))
    yield (
        "merge_on_emulators",
        statements.merge_month(table, MONTH, [field.name for field in tables.trip_fields(GREEN)], trips(GREEN)),
    )
    yield "clear_month", statements.clear_month(f"{table}_rejects", MONTH)
    yield "versions", statements.versions(table, MONTH)
    yield "rows_by_month", statements.rows_by_month(table)
    yield "zones", statements.replace_zones(table, [(1, "EWR")], [("locationid", "INT64"), ("borough", "STRING")])
    yield "rows_of_two_months", statements.rows_of(table, ["vendorid"], [MONTH, MONTH.plus(1)])
    yield "rows_of_a_table", statements.rows_of("trips-123.zoomcamp.other")


STATEMENTS = dict(every_statement())
QUERIES = {name: text for name, text in STATEMENTS.items() if name.startswith("trips_")}


def parsed(text: str) -> exp.Expression:
    (statement,) = sqlglot.parse(text, read="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
    assert statement is not None
    return statement


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_matches_its_snapshot(name: str) -> None:
    """Compare a statement with its snapshot. To renew a snapshot, delete it: the test writes it and fails once."""
    path = SNAPSHOTS / f"{name}.sql"
    if not path.exists():
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(STATEMENTS[name] + "\n", encoding="utf-8")
        pytest.fail(f"{path} was written; review it")
    assert STATEMENTS[name] + "\n" == path.read_text(encoding="utf-8")


def test_there_is_one_snapshot_for_each_statement() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == set(STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_valid_in_bigquerys_dialect(name: str) -> None:
    assert not isinstance(parsed(STATEMENTS[name]), exp.Command)  # a Command is text that sqlglot did not parse


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_fills_every_column_of_the_table_in_its_order(name: str) -> None:
    service = SERVICES[name.split("_")[1]]
    assert parsed(QUERIES[name]).named_selects == [field.name for field in tables.trip_fields(service)]


def test_emulators_replace_a_month_by_a_statement_that_names_one_partition_and_matches_nothing() -> None:
    merge = parsed(STATEMENTS["merge_on_emulators"])
    assert isinstance(merge, exp.Merge)
    assert merge.args["on"].sql() == "FALSE"
    delete, append = merge.args["whens"].expressions
    assert (delete.args["source"], delete.args["matched"], delete.args["then"].sql()) == (True, False, "DELETE")
    assert delete.args["condition"].sql("bigquery") == "existing.file_month = CAST('2019-03-01' AS DATE)"
    insert = append.args["then"]
    into = [column.name for column in insert.this.expressions]
    assert into == [column.name for column in insert.expression.expressions]
    assert into == merge.args["using"].this.named_selects


@pytest.mark.parametrize("name", ["versions", "clear_month", "rows_of_two_months", *map("summary_{}".format, SERVICES)])
def test_statements_for_one_month_name_its_partition(name: str) -> None:
    where = parsed(STATEMENTS[name]).find(exp.Where)
    assert where is not None
    assert {column.name for column in where.find_all(exp.Column)} == {"file_month"}


def test_a_column_that_the_file_lacks_is_null_and_not_a_part_of_the_id() -> None:
    text = STATEMENTS["trips_fhv_of_six_columns"]
    assert "CAST(NULL AS STRING) AS affiliated_base_number" in text
    assert "COALESCE(affiliated_base_number" not in text
    assert "COALESCE(affiliated_base_number" in STATEMENTS["trips_fhv"]


def test_a_row_that_needs_the_parser_stops_the_query_unless_the_parser_wrote_it() -> None:
    for name, text in QUERIES.items():
        assert ("ERROR(" in text) == (name in {"trips_green", "trips_yellow", "trips_fhvhv"}), name


def test_timestamps_do_not_depend_on_the_time_zone_of_the_project() -> None:
    for text in QUERIES.values():
        assert "AS TIMESTAMP)" not in text.replace("CAST(NULL AS TIMESTAMP)", "")
        assert "_datetime, ''), 'UTC')" in text


@pytest.mark.parametrize("amount", ["", "7", "7.00", ".68", "-0.5", "0.0001", "12345678901.1234000"])
def test_an_amount_of_the_id_that_postgresql_prints_unchanged_needs_no_parser(amount: str) -> None:
    assert amounts_of_the_id("green").fullmatch(amount)


@pytest.mark.parametrize("amount", ["007", "7.12345", "0.00001", "123456789012", "1e-5", "+7", "nan"])
def test_an_amount_of_the_id_that_postgresql_may_print_differently_needs_the_parser(amount: str) -> None:
    assert not amounts_of_the_id("green").fullmatch(amount)


def amounts_of_the_id(service: str) -> "re.Pattern[str]":
    match = re.search(r"REGEXP_CONTAINS\(COALESCE\(fare_amount, ''\), r'(\^.*?\$)'\)", STATEMENTS[f"trips_{service}"])
    assert match is not None
    return re.compile(match[1])
