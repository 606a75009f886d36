"""The services and months that a question names, their records, and the asset graph as passages."""

import dagster as dg
import pytest

from taxi_platform.assistant.knowledge import (
    assets_in,
    graph_passages,
    months_in,
    on_record,
    services_in,
    without_months,
)
from taxi_platform.trips.months import Month
from taxi_platform_tests.support.month_records import month_in

APRIL, MAY = Month(2020, 4), Month(2020, 5)
STATES = {
    "green": {
        APRIL: month_in("materialized", APRIL, rows=35_612),
        MAY: month_in("failed", MAY),
    },
    "yellow": {APRIL: month_in("missing", APRIL, "yellow")},
}


@dg.asset(key_prefix="raw")
def trips() -> None:
    """Fetch files as published."""


@dg.asset(deps=[trips], partitions_def=dg.StaticPartitionsDefinition(["a", "b"]), kinds={"table"})
def table() -> None:
    """Store one row per trip."""


@dg.asset_check(asset=table)
def is_whole() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


defs = dg.Definitions([trips, table], asset_checks=[is_whole])


@pytest.mark.parametrize(
    ("question", "services", "months"),
    [
        ("How many green trips in 2020-04, and why fewer rows than yellow?", ["green", "yellow"], ["2020-04"]),
        ("April 2020 and Sept. 2019 of for-hire vehicles", ["fhv"], ["2019-09", "2020-04"]),
        ("Is green_tripdata_2019-03.csv there?", ["green"], ["2019-03"]),
        ("Greenland in 20204 or 2020-13?", [], []),
        ("Show 2020", [], [f"2020-{month:02d}" for month in range(1, 13)]),
        ("", [], []),
    ],
)
def test_services_and_months_are_recognised_as_people_write_them(
    question: str, services: list[str], months: list[str]
) -> None:
    assert services_in(question) == services
    assert [str(month) for month in months_in(question)] == months


def test_documents_are_searched_without_the_months_of_a_question() -> None:
    assert without_months("rows of green in 2020-04, May 2020").split() == ["rows", "of", "green", "in", ","]


def test_an_asset_is_named_by_its_key_or_by_its_service() -> None:
    keys = ["raw/green_tripdata", "green_tripdata", "yellow_tripdata", "chat"]
    assert assets_in("What does the chat make of Yellow?", keys) == ["yellow_tripdata", "chat"]
    assert assets_in("When was raw/green_tripdata made?", keys) == ["raw/green_tripdata", "green_tripdata"]


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        ("green and yellow 2020-04", ["green 2020-04: materialized, 35,612 rows", "yellow 2020-04: missing"]),
        ("green in May 2020", ["green 2020-05: failed (run 12345678)"]),
        ("green 1999-01", ["green 1999-01: not a partition"]),
        ("green", ["green: 35,612 rows in 1 of 2 months, 2020-04 to 2020-04"]),
        ("Which checks are there?", []),
    ],
)
def test_records_are_given_for_each_named_month_or_else_for_each_service(question: str, lines: list[str]) -> None:
    assert on_record(question, STATES) == lines


def test_each_asset_is_a_passage_with_its_page_and_its_neighbours() -> None:
    passages = graph_passages(defs.get_repository_def(), "http://host:3000", {"table": "materialized last today"})
    by_title = {passage.title: passage for passage in passages}
    assert set(by_title) == {"Asset raw/trips", "Asset table"}
    assert by_title["Asset table"].link == "http://host:3000/assets/table"
    assert by_title["Asset table"].text.splitlines()[0] == "`table`: Store one row per trip."
    for line in ["Partitions: 2, a to b", "Made from: raw/trips", "Checks: is_whole"]:
        assert f"- {line}\n" in by_title["Asset table"].text
    assert "State: materialized last today" in by_title["Asset table"].text
    assert "- Used by: table" in by_title["Asset raw/trips"].text
