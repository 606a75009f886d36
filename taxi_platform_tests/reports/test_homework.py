"""The homework: answered from what is loaded, or with the command to type."""

import re
from dataclasses import replace

import pytest

from taxi_platform.ledger.plan import months_in, parse_services, parse_span
from taxi_platform.ledger.record import LoadRecord
from taxi_platform.reports.homework import answers, load_command
from taxi_platform.reports.html import HomeworkAnswer
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW, Service
from taxi_platform_tests.support.month_records import load_record

SIZE, FILE, YELLOW_2020, GREEN_2020, MARCH_2021, ZONE = range(6)
YEAR = list(Month(2020, 1).through(Month(2020, 12)))


def records(service: Service, *months: Month, source: str = "https://example.com/x.csv.gz") -> dict[str, LoadRecord]:
    return {
        service.file_name(month): load_record(1000 + month.month, csv_bytes=134_481_400, rows_rejected=1, source=source)
        for month in months
    }


def test_loaded_months_are_answered() -> None:
    given = answers(records(YELLOW, *YEAR, Month(2021, 3)) | records(GREEN, *YEAR), "UTC")
    assert given[SIZE].answer == "134,481,400 bytes, 128.3 MiB"
    assert given[YELLOW_2020].answer == given[GREEN_2020].answer == "12,090"  # the twelve rejected rows included
    assert given[MARCH_2021].answer == "1,004"
    assert not any(answer.command for answer in given)


def test_missing_months_are_answered_with_a_command() -> None:
    given = answers({}, "UTC")
    assert given[SIZE] == HomeworkAnswer(given[SIZE].question, command="taxi backfill yellow 2020-12")
    assert given[YELLOW_2020].command == "taxi backfill yellow 2020-01..2020-12"
    assert given[GREEN_2020].command == "taxi backfill green 2020-01..2020-12"
    assert given[MARCH_2021].command == "taxi backfill yellow 2021-03"
    loaded = [month for month in YEAR if month not in (Month(2020, 5), Month(2020, 7))]
    gap = answers(records(GREEN, *loaded), "UTC")[GREEN_2020]
    assert (gap.answer, gap.command) == ("", "taxi backfill green 2020-05..2020-07")
    assert gap.remark == "10 of 12 are loaded."


def test_questions_that_need_no_trips_are_always_answered() -> None:
    given = answers({}, "UTC")
    assert given[FILE].answer == "green_tripdata_2020-04.csv"
    assert given[ZONE].answer == "TAXI_SCHEDULE_TIMEZONE=America/New_York"
    assert given[ZONE].remark == "It is set to UTC now."
    assert answers({}, "America/New_York")[ZONE].remark == "It is set so now."


def test_an_answer_from_made_up_trips_says_so() -> None:
    sample = records(YELLOW, Month(2021, 3), source="sample:0.05/yellow/yellow_tripdata_2021-03.csv.gz")
    assert answers(sample, "UTC")[MARCH_2021].remark.startswith("Made up")


def test_the_size_of_a_csv_is_not_that_of_a_parquet_file() -> None:
    december = {name: replace(one, source="https://tlc/x.parquet") for name, one in records(YELLOW, *YEAR).items()}
    size = answers(december, "UTC")[SIZE]
    assert (size.answer, size.command) == ("", "")
    assert size.remark.startswith("Loaded from the TLC's Parquet files")
    assert answers(records(YELLOW, Month(2021, 3)), "UTC")[MARCH_2021].remark == ""


@pytest.mark.parametrize("months", [[Month(2020, 4)], [Month(2020, 4), Month(2020, 5)]])
def test_taxi_backfill_accepts_the_command(months: list[Month]) -> None:
    typed = re.fullmatch(r"taxi backfill (\S+) (\S+)", load_command(GREEN, months[0], months[-1]))
    assert typed
    assert parse_services(typed[1]) == [GREEN]
    assert months_in(parse_span(typed[2]), GREEN, YEAR) == months
