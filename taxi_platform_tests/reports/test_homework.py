"""The homework: answered from what is loaded, or with what to type."""

import re

import pytest

from taxi_platform.ledger.plan import months_in, parse_services, parse_span
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.reports.homework import answers, load_command
from taxi_platform.reports.html import Answer
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW, Service
from taxi_platform_tests.support.month_records import load_record

SIZE, FILE, YELLOW_2020, GREEN_2020, MARCH_2021, ZONE = range(6)


def held(service: Service, *months: Month, source: str = "https://example.com/x.csv.gz") -> dict[str, LoadRecord]:
    return {
        service.file_name(month): load_record(1000 + month.month, csv_bytes=134_481_400, rows_rejected=1, source=source)
        for month in months
    }


def year(year: int) -> list[Month]:
    return list(Month(year, 1).through(Month(year, 12)))


def found(records: dict[str, LoadRecord], timezone: str = "UTC") -> list[Answer]:
    return answers(records, timezone)


def test_what_is_loaded_is_answered() -> None:
    loaded = held(YELLOW, *year(2020), Month(2021, 3)) | held(GREEN, *year(2020))
    told = found(loaded)
    assert told[SIZE].answer == "134,481,400 bytes, 128.3 MiB"
    assert told[YELLOW_2020].answer == told[GREEN_2020].answer == "12,090"  # with the twelve that were rejected
    assert told[MARCH_2021].answer == "1,004"
    assert not any(one.command for one in told)


def test_what_is_not_loaded_is_a_command() -> None:
    told = found({})
    assert told[SIZE] == Answer(told[SIZE].question, command="taxi backfill yellow 2020-12")
    assert told[YELLOW_2020].command == "taxi backfill yellow 2020-01..2020-12"
    assert told[GREEN_2020].command == "taxi backfill green 2020-01..2020-12"
    assert told[MARCH_2021].command == "taxi backfill yellow 2021-03"


def test_a_year_with_a_gap_asks_for_the_gap() -> None:
    there = [month for month in year(2020) if month not in (Month(2020, 5), Month(2020, 7))]
    told = found(held(GREEN, *there))[GREEN_2020]
    assert (told.answer, told.command) == ("", "taxi backfill green 2020-05..2020-07")
    assert told.remark == "10 of 12 are loaded."


def test_what_needs_no_trips_is_always_answered() -> None:
    told = found({})
    assert told[FILE].answer == "green_tripdata_2020-04.csv"
    assert told[ZONE].answer == "TAXI_SCHEDULE_TIMEZONE=America/New_York"
    assert told[ZONE].remark == "It is set to UTC now."
    assert found({}, "America/New_York")[ZONE].remark == "It is set so now."


def test_an_answer_from_made_up_trips_says_so() -> None:
    made_up = held(YELLOW, Month(2021, 3), source="sample:0.05/yellow/yellow_tripdata_2021-03.csv.gz")
    assert found(made_up)[MARCH_2021].remark.startswith("Made up")
    assert found(held(YELLOW, Month(2021, 3)))[MARCH_2021].remark == ""


@pytest.mark.parametrize("months", [[Month(2020, 4)], [Month(2020, 4), Month(2020, 5)]])
def test_the_command_can_be_run(months: list[Month]) -> None:
    typed = re.fullmatch(r"taxi backfill (\S+) (\S+)", load_command(GREEN, months[0], months[-1]))
    assert typed
    assert parse_services(typed[1]) == [GREEN]
    assert months_in(parse_span(typed[2]), GREEN, year(2020)) == months
