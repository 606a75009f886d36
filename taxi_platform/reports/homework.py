"""The questions of the course's module 2, answered from the loaded months, or with the command that loads them."""

from collections.abc import Mapping, Sequence

from taxi_platform.ledger.record import LoadRecord
from taxi_platform.reports.html import HomeworkAnswer
from taxi_platform.reports.text import whole
from taxi_platform.trips.files import edition_of
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, YELLOW, Service

NEW_YORK = "America/New_York"
_YEAR = list(Month(2020, 1).through(Month(2020, 12)))


def answers(loaded: Mapping[str, LoadRecord], timezone: str) -> list[HomeworkAnswer]:
    """Answer the homework from the load records by file name, and from the time zone of the schedules."""
    return [
        _size(loaded, YELLOW, Month(2020, 12)),
        HomeworkAnswer(
            "What is the name of the file that is rendered for green taxis, year 2020, month 04?",
            GREEN.file_name(Month(2020, 4)),
        ),
        _rows(loaded, "How many rows do all files of the yellow taxis of 2020 have?", YELLOW, _YEAR),
        _rows(loaded, "How many rows do all files of the green taxis of 2020 have?", GREEN, _YEAR),
        _rows(loaded, "How many rows does the file of the yellow taxis of March 2021 have?", YELLOW, [Month(2021, 3)]),
        HomeworkAnswer(
            "How is the time zone of a schedule set to New York?",
            f"TAXI_SCHEDULE_TIMEZONE={NEW_YORK}",
            remark="It is set so now." if timezone == NEW_YORK else f"It is set to {timezone} now.",
        ),
    ]


def load_command(service: Service, first: Month, last: Month) -> str:
    """Return the command that loads what is missing from the first month to the last."""
    return f"taxi backfill {service.name} {first if first == last else f'{first}..{last}'}"


def is_made_up(record: LoadRecord) -> bool:
    """Return whether the file came from the sample and not from the TLC."""
    return record.source.startswith("sample:")


def _size(loaded: Mapping[str, LoadRecord], service: Service, month: Month) -> HomeworkAnswer:
    name = service.file_name(month)
    question, record = f"How large is {name}, uncompressed?", loaded.get(name)
    if record is None:
        return HomeworkAnswer(question, command=load_command(service, month, month))
    size = f"{whole(record.facts.csv_bytes)} bytes, {record.facts.csv_bytes / 2**20:,.1f} MiB"
    return HomeworkAnswer(question, "" if _is_parquet(record) else size, remark=_remark([record]))


def _rows(loaded: Mapping[str, LoadRecord], question: str, service: Service, months: Sequence[Month]) -> HomeworkAnswer:
    missing = [month for month in months if service.file_name(month) not in loaded]
    if missing:
        present = len(months) - len(missing)
        remark = f"{present} of {len(months)} are loaded." if present else ""
        return HomeworkAnswer(question, command=load_command(service, missing[0], missing[-1]), remark=remark)
    records = [loaded[service.file_name(month)] for month in months]
    return HomeworkAnswer(question, whole(sum(record.facts.rows for record in records)), remark=_remark(records))


def _remark(records: Sequence[LoadRecord]) -> str:
    if any(map(is_made_up, records)):
        return "Made up: this is a file of the sample, not of the TLC."
    if any(map(_is_parquet, records)):
        return (
            "Loaded from the TLC's Parquet files; the question is about the course's CSV files, which differ from them."
        )
    return ""


def _is_parquet(record: LoadRecord) -> bool:
    return edition_of(record.source) == "parquet"
