"""The state of a month, derived from its ``MonthRecord``. Pure.

Dagster's record of a materialization is a claim about the table. If the table itself could be asked, the table wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from taxi_platform.ledger.record import MonthRecord
from taxi_platform.trips.files import FileFacts
from taxi_platform.trips.months import Month

State = Literal["materialized", "failed", "missing", "in progress", "file changed"]


@dataclass(frozen=True)
class MonthState:
    """One month of a service, as people and programs see it.

    Attributes:
        service: its name.
        month: the month.
        state: the state.
        rows: rows of the month that are in the table.
        file_bytes: the size of the file behind them, as published.
        run_id: the last run that loaded it or was to load it.
        at: when that was, in UTC.
        note: what the state alone does not say, or nothing.
        is_broken: whether the table says that it holds the file but did not pass a blocking check.
        is_partition: whether the settings allow it to be loaded.
    """

    service: str
    month: Month
    state: State
    rows: int = 0
    file_bytes: int = 0
    run_id: str | None = None
    at: datetime | None = None
    note: str = ""
    is_broken: bool = False
    is_partition: bool = True


def states_of(months: Mapping[str, Mapping[Month, MonthRecord]]) -> dict[str, dict[Month, MonthState]]:
    """Return the state of every partition, and of the months that were loaded before the settings left them out."""
    return {
        service: {month: state_of(record) for month, record in records.items() if record.is_partition or record.table}
        for service, records in months.items()
    }


def state_of(record: MonthRecord) -> MonthState:
    """Return the state of a month. Only attempts on its table count: a raw file may fail and the table be there."""
    state, note = _state_and_note(record)
    rows, file_bytes = _content(record)
    last = record.attempt or record.table
    return MonthState(
        service=record.service.name,
        month=record.month,
        state=state,
        rows=rows,
        file_bytes=file_bytes,
        run_id=last.run_id if last else None,
        at=last.at if last else None,
        note=note,
        is_broken=bool(record.failed_checks),
        is_partition=record.is_partition,
    )


def _state_and_note(record: MonthRecord) -> tuple[State, str]:
    attempt, table, waiting = record.attempt, record.table, record.waiting
    if attempt and attempt.outcome == "unfinished":
        return "in progress", f"run {attempt.run_id[:8]}"
    if waiting and not (table and table.at >= waiting.since):
        return "in progress", f"backfill {waiting.backfill_id}"
    if attempt and attempt.outcome == "failed":
        return "failed", f"run {attempt.run_id[:8]}"
    if table is None:
        return "missing", "in the table, but not recorded" if record.loaded else ""
    if record.tables_known and record.loaded is None:
        return "missing", "recorded, but not in the table any more"
    if record.failed_checks:
        return "failed", f"check {', '.join(record.failed_checks)}"
    change = _change(record)
    return ("file changed", change) if change else ("materialized", "")


def _change(record: MonthRecord) -> str:
    """Return how the month's file differs from the one in the table, or nothing."""
    table, raw, published = record.table, record.raw, record.published
    if table is None or raw is None:
        return ""
    # An older record of the raw file says nothing: the table may come from a file that was fetched without Dagster.
    in_table = record.loaded.facts if record.loaded else table.facts
    if raw.order > table.order and _sha256(raw.facts) != _sha256(in_table):
        return "the raw file is newer than the table"
    recorded = (raw.version.etag, raw.version.modified)
    if raw.landed or published is None or recorded == (None, None):
        return ""
    now = (published.etag, published.modified)
    return "" if now in ((None, None), recorded) else "the source has another version"


def _sha256(facts: FileFacts | None) -> str | None:
    return facts.sha256 if facts else None


def _content(record: MonthRecord) -> tuple[int, int]:
    """Return the rows in the table and the size of their file."""
    if record.tables_known:
        return (record.loaded.rows_loaded, record.loaded.facts.bytes) if record.loaded else (0, 0)
    table = record.table
    if table is None:
        return 0, 0
    rows_in_file = table.facts.rows if table.facts else 0
    return rows_in_file if table.rows_loaded is None else table.rows_loaded, table.version.bytes or 0
