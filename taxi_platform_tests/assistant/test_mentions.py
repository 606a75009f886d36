"""What a question names: services, months, assets; and what is told of them from the record."""

import pytest

from taxi_platform.assistant.knowledge import assets_in, months_in, on_record, services_in, without_months
from taxi_platform.ledger.states import MonthState
from taxi_platform.trips.months import Month

APRIL, MAY = Month(2020, 4), Month(2020, 5)
STATES = {
    "green": {
        APRIL: MonthState("green", APRIL, "materialized", rows=35_612),
        MAY: MonthState("green", MAY, "failed", note="run 1a2b"),
    },
    "yellow": {APRIL: MonthState("yellow", APRIL, "missing")},
}


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
def test_services_and_months_are_found_as_people_write_them(
    question: str, services: list[str], months: list[str]
) -> None:
    found = services_in(question), [str(month) for month in months_in(question)]
    assert found == (services, months)


def test_documents_are_not_asked_for_months() -> None:
    assert without_months("rows of green in 2020-04, May 2020").split() == ["rows", "of", "green", "in", ","]


def test_an_asset_is_named_by_its_key_or_by_its_service() -> None:
    keys = ["raw/green_tripdata", "green_tripdata", "yellow_tripdata", "chat"]
    assert assets_in("What does the chat make of Yellow?", keys) == ["yellow_tripdata", "chat"]
    assert assets_in("When was raw/green_tripdata made?", keys) == ["raw/green_tripdata", "green_tripdata"]


def test_records_are_given_for_each_named_month_or_else_for_each_service() -> None:
    assert on_record("green and yellow 2020-04", STATES) == [
        "green 2020-04: materialized, 35,612 rows",
        "yellow 2020-04: missing",
    ]
    assert on_record("green in May 2020", STATES) == ["green 2020-05: failed (run 1a2b)"]
    assert on_record("green 1999-01", STATES) == ["green 1999-01: not a partition"]
    assert on_record("green", STATES) == ["green: 35,612 rows in 1 of 2 months, 2020-04 to 2020-04, 1 failed"]
    assert on_record("Which checks are there?", STATES) == []
