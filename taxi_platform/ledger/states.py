"""The state of a month, as it follows from what is known of it. Pure: what is known is found out by ``facts``.

Dagster's record of a materialization is a claim about the table. Where the table itself could be asked, it is believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from taxi_platform.ledger.record import LoadRecord
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month

State = Literal["materialized", "failed", "missing", "in progress", "file changed"]
Outcome = Literal["unfinished", "failed", "cancelled"]


@dataclass(frozen=True)
class Materialized:
    """What Dagster recorded when a month of an asset was materialized last.

    Attributes:
        order: materializations of all assets are numbered in the order in which they were recorded.
        run_id: the run that did it.
        at: when, in UTC.
        sha256: of the file, compressed as it was published.
        rows: of the file that are in the table.
        file_bytes: the size of the file.
        etag: the version of the file at its source, if the record tells it; that of a table does not.
        modified: likewise.
        landed: whether the file was brought by hand, and stays whatever its source has.
    """

    order: int
    run_id: str
    at: datetime
    sha256: str
    rows: int
    file_bytes: int
    etag: str | None = None
    modified: str | None = None
    landed: bool = False


@dataclass(frozen=True)
class Attempt:
    """A run that was to materialize a month, begun after the last that did so, and what became of it."""

    run_id: str
    outcome: Outcome
    at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """A Dagster backfill that has yet to deal with a month, and since when."""

    backfill_id: str
    since: datetime


@dataclass(frozen=True)
class Facts:
    """All that is known of one month of a service.

    Attributes:
        table: the table's last materialization.
        raw: the raw file's last materialization.
        attempt: the run that tried to load it since.
        broken: the checks that block and that it did not pass as it is in the table.
        waiting: the Dagster backfill that has yet to deal with it.
        held: what the table says, or None when it does not hold the month or was not asked.
        asked: whether the table was asked.
        source: the version that the source has now, or None when it was not asked or does not say.
    """

    table: Materialized | None = None
    raw: Materialized | None = None
    attempt: Attempt | None = None
    broken: Sequence[str] = ()
    waiting: Waiting | None = None
    held: LoadRecord | None = None
    asked: bool = False
    source: SourceVersion | None = None


@dataclass(frozen=True)
class MonthState:
    """One month of a service.

    Attributes:
        service: its name.
        month: the month.
        state: what is to be said of it in a word.
        rows: rows of the month that are in the table; 0 when it is not there.
        file_bytes: the size of the file behind them, as published.
        run_id: the last run that loaded it or was to load it.
        at: when that was, in UTC.
        note: what the state alone does not say, or nothing.
        is_broken: whether the table says that it holds the file and is not to be believed.
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


def month_state(service: str, month: Month, facts: Facts) -> MonthState:
    """The state of a month, from all that is known of it."""
    state, note = _judge(facts)
    rows, file_bytes = _content(facts)
    last = facts.attempt or facts.table
    return MonthState(
        service=service,
        month=month,
        state=state,
        rows=rows,
        file_bytes=file_bytes,
        run_id=last.run_id if last else None,
        at=last.at if last else None,
        note=note,
        is_broken=bool(facts.broken),
    )


def _judge(facts: Facts) -> tuple[State, str]:
    if facts.attempt and facts.attempt.outcome == "unfinished":
        return "in progress", f"run {facts.attempt.run_id[:8]}"
    if facts.waiting and not (facts.table and facts.table.at >= facts.waiting.since):
        return "in progress", f"backfill {facts.waiting.backfill_id}"
    if facts.attempt and facts.attempt.outcome == "failed":
        return "failed", f"run {facts.attempt.run_id[:8]}"
    if facts.table is None:
        return "missing", "in the table, but not recorded" if facts.held else ""
    if facts.asked and facts.held is None:
        return "missing", "recorded, but not in the table any more"
    if facts.broken:
        return "failed", f"check {', '.join(facts.broken)}"
    change = _change(facts)
    return ("file changed", change) if change else ("materialized", "")


def _change(facts: Facts) -> str:
    """How the file differs from the one that is in the table, if it does."""
    table, raw = facts.table, facts.raw
    if table is None or raw is None:
        return ""
    # An older record of the raw file says nothing: the table may come from a file that was fetched without Dagster.
    if raw.order > table.order and raw.sha256 != (facts.held.sha256 if facts.held else table.sha256):
        return "the raw file is newer than the table"
    known, now = (raw.etag, raw.modified), facts.source and (facts.source.etag, facts.source.modified)
    if raw.landed or now is None or now == (None, None) or known == (None, None) or now == known:
        return ""
    return "the source has another version"


def _content(facts: Facts) -> tuple[int, int]:
    if facts.asked:
        return (facts.held.rows_loaded, facts.held.file_bytes) if facts.held else (0, 0)
    return (facts.table.rows, facts.table.file_bytes) if facts.table else (0, 0)
