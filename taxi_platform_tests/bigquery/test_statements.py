"""The warehouse's SQL, byte for byte, and as a parser of BigQuery's dialect understands it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import expressions as exp

from taxi_platform.bigquery import schema, statements
from taxi_platform.trips.headers import Header, match_header
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, SERVICES, Service
from taxi_platform_tests.support.trip_texts import header

SNAPSHOTS = Path(__file__).parent / "statements"
MONTH = Month(2019, 3)
TABLE = "trips-123.zoomcamp.{}_tripdata"


def header_of(service: Service, *, shortened: bool = False) -> Header:
    names = header(service).split(",")
    return match_header(service, ",".join(names[:-1] if shortened else names).encode() + b"\n", "a file")


def every_statement() -> Iterator[tuple[str, str]]:
    """Each statement that the platform sends, by the name of its snapshot."""
    for service in SERVICES.values():
        table = TABLE.format(service.name)
        staging = schema.staging_of(table, MONTH, "1a2b_0")
        fields = schema.trip_fields(service)
        for name, options in {"": {}, "_prepared": {"prepared": True}}.items():
            trips = statements.staged_trips(service, MONTH, header_of(service), 42, staging, **options)
            yield f"replace_{service.name}{name}", statements.replace_month(table, MONTH, fields, trips)
        yield f"summary_{service.name}", statements.summary(service, table, MONTH)
    short = header_of(FHV, shortened=True)
    trips = statements.staged_trips(FHV, MONTH, short, 42, schema.staging_of(TABLE.format("fhv"), MONTH, "1a2b_0"))
    yield (
        "replace_fhv_of_six_columns",
        statements.replace_month(TABLE.format("fhv"), MONTH, schema.trip_fields(FHV), trips),
    )
    table = TABLE.format("green") + "_rejects"
    rejects = statements.staged_rejects(SERVICES["green"], MONTH, -42, schema.staging_of(table, MONTH, "1a2b_0"))
    yield "replace_rejects", statements.replace_month(table, MONTH, schema.reject_fields(), rejects, -42)
    yield "clear_other_versions", statements.clear_other_versions(table, MONTH, -42)
    yield "versions", statements.versions(TABLE.format("green"), MONTH)
    yield "rows_of_two_months", statements.rows_of(TABLE.format("green"), ["vendorid"], [MONTH, MONTH.plus(1)])
    yield "rows_of_a_table", statements.rows_of("trips-123.zoomcamp.other")


STATEMENTS = dict(every_statement())
MERGES = {name: text for name, text in STATEMENTS.items() if name.startswith("replace_")}


def parsed(text: str) -> exp.Expression:
    (statement,) = sqlglot.parse(text, read="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
    assert statement is not None
    return statement


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_what_it_was(name: str) -> None:
    """Write a new snapshot by deleting the old one: it is made, and the test fails once."""
    path = SNAPSHOTS / f"{name}.sql"
    if not path.exists():
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(STATEMENTS[name] + "\n", encoding="utf-8")
        pytest.fail(f"{path} was made; look at it")
    assert STATEMENTS[name] + "\n" == path.read_text(encoding="utf-8")


def test_there_is_no_snapshot_of_a_statement_that_is_gone() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == set(STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_one_of_bigquerys_dialect(name: str) -> None:
    assert not isinstance(parsed(STATEMENTS[name]), exp.Command)  # what the parser only passes through


@pytest.mark.parametrize("name", MERGES)
def test_replacing_names_one_partition_and_matches_nothing(name: str) -> None:
    merge = parsed(MERGES[name])
    assert isinstance(merge, exp.Merge)
    assert merge.args["on"].sql() == "FALSE"
    gone, come = merge.args["whens"].expressions
    assert (gone.args["source"], gone.args["matched"], gone.args["then"].sql()) == (True, False, "DELETE")
    condition = gone.args["condition"].sql("bigquery")
    assert condition.startswith("there.file_month = CAST('2019-03-01' AS DATE)")
    assert isinstance(come.args["then"], exp.Insert)


@pytest.mark.parametrize("name", MERGES)
def test_replacing_fills_every_column_from_the_query_under_its_own_name(name: str) -> None:
    merge = parsed(MERGES[name])
    insert = merge.args["whens"].expressions[1].args["then"]
    into = [column.name for column in insert.this.expressions]
    assert into == [column.name for column in insert.expression.expressions]
    query = merge.args["using"].this
    assert into == query.named_selects


@pytest.mark.parametrize("name", ["versions", "rows_of_two_months", *(f"summary_{name}" for name in SERVICES)])
def test_what_only_reads_a_month_names_its_partition(name: str) -> None:
    where = parsed(STATEMENTS[name]).find(exp.Where)
    assert where is not None
    assert {column.name for column in where.find_all(exp.Column)} == {"file_month"}


def test_a_column_that_the_file_lacks_is_null_and_no_part_of_the_id() -> None:
    text = STATEMENTS["replace_fhv_of_six_columns"]
    assert "CAST(NULL AS STRING) AS affiliated_base_number" in text
    assert "COALESCE(affiliated_base_number" not in text
    assert "COALESCE(affiliated_base_number" in STATEMENTS["replace_fhv"]


def test_a_row_that_is_not_plain_stops_the_statement() -> None:
    for name, text in MERGES.items():
        expected = 0 if name.endswith("_prepared") or name == "replace_rejects" else 1
        assert text.count("ERROR(") == expected, name


PLAIN = [
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|N|1|7|9|1|.68|7.00|0|-0.5|+3|100|||7.|1|2|2.75",
    "|2019-03-01 00:21:11|2019-03-01 00:21:12|||7|9||0.0001|-12345678901.1234000|0|0|0|0||0.3|13.299999999|||",
]
NOT_PLAIN = [
    "2.0|2019-03-01 00:21:11|2019-03-01 00:21:12|N|1|7|9|1|.68|7.00|0|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01T00:21:11|2019-03-01 00:21:12|N|1|7|9|1|.68|7.00|0|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|N|1|7|9|1.0|.68|7.00|0|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|N|1|7|9|1|1e-5|7.00|0|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|N|1|7|9|1|.68|007|0|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|N|1|7|9|1|.68|7.12345|0|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|N|1|7|9|1|.68|7|nan|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|\ufffd|1|7|9|1|.68|7|0|0|3|100|||7.|1|2|2.75",
    "2|2019-03-01 00:21:11|2019-03-01 00:21:12|a|b|1|7|9|1|.68|7|0|0|3|100|||7.|1|2|2.75",
]


@pytest.mark.parametrize("line", PLAIN)
def test_what_published_files_hold_is_plain(line: str) -> None:
    assert pattern("green").fullmatch(line)


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_what_needs_judgement_is_not(line: str) -> None:
    assert not pattern("green").fullmatch(line)


def pattern(service: str) -> "re.Pattern[str]":
    """The pattern of a whole row in the statement, in Python's spelling of a code point."""
    match = re.search(r"REGEXP_CONTAINS\(.*, r'(\^.*\$)'\)", STATEMENTS[f"replace_{service}"])
    assert match is not None
    return re.compile(match[1].replace(r"\x{FFFD}", "\ufffd"))
