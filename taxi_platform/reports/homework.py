"""The questions of the course's module 2, answered from what the tables hold, or by what to type to load it. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from taxi_platform.ledger.record import LoadRecord
from taxi_platform.reports.numbers import whole
from taxi_platform.reports.page import Answer
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW, Service

MIB = 1024 * 1024
NEW_YORK = "America/New_York"


def answers(held: Mapping[str, LoadRecord], timezone: str) -> list[Answer]:
    """The homework.

    Args:
        held: the months in the tables, by the name of their file.
        timezone: in which the schedules tick now.
    """
    return [
        _size(held, YELLOW, Month(2020, 12)),
        Answer(
            "What is the name of the file that is rendered for green taxis, year 2020, month 04?",
            GREEN.file_name(Month(2020, 4)),
        ),
        _rows(held, "How many rows do all files of the yellow taxis of 2020 have?", YELLOW, _year(2020)),
        _rows(held, "How many rows do all files of the green taxis of 2020 have?", GREEN, _year(2020)),
        _rows(held, "How many rows does the file of the yellow taxis of March 2021 have?", YELLOW, [Month(2021, 3)]),
        Answer(
            "How is the time zone of a schedule set to New York?",
            f"TAXI_SCHEDULE_TIMEZONE={NEW_YORK}",
            remark="That is how it is set." if timezone == NEW_YORK else f"It is set to {timezone} now.",
        ),
    ]


def load_command(service: Service, months: Sequence[Month]) -> str:
    """What to type to load what is missing of these months, which are in order; it leaves the others alone."""
    span = f"{months[0]}..{months[-1]}" if len(months) > 1 else str(months[0])
    return f"taxi backfill {service.name} {span}"


def is_made_up(record: LoadRecord) -> bool:
    """Whether the file came from the sample and not from the TLC."""
    return record.source.startswith("sample:")


def _size(held: Mapping[str, LoadRecord], service: Service, month: Month) -> Answer:
    name = service.file_name(month)
    question = f"How large is {name}, uncompressed?"
    record = held.get(name)
    if record is None:
        return Answer(question, command=load_command(service, [month]))
    size = f"{whole(record.csv_bytes)} bytes, {record.csv_bytes / MIB:,.1f} MiB"
    return Answer(question, size, remark=_remark([record]))


def _rows(held: Mapping[str, LoadRecord], question: str, service: Service, months: Sequence[Month]) -> Answer:
    missing = [month for month in months if service.file_name(month) not in held]
    if missing:
        there = len(months) - len(missing)
        remark = f"{there} of {len(months)} are loaded." if there else ""
        return Answer(question, command=load_command(service, missing), remark=remark)
    records = [held[service.file_name(month)] for month in months]
    return Answer(question, whole(sum(one.rows_in_file for one in records)), remark=_remark(records))


def _remark(records: Iterable[LoadRecord]) -> str:
    return "Made up: not the file of the TLC, but one of the sample." if any(map(is_made_up, records)) else ""


def _year(year: int) -> list[Month]:
    return list(Month(year, 1).through(Month(year, 12)))
