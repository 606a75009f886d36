"""What is known about one month: ``MonthRecord``, its parts, and the state that follows from them. Pure values.

Three statements are kept apart: Dagster's materialization says that a month was loaded, the load record in the
database says what is in the table now, and the source says what it has. If the table could be read, it decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

from taxi_platform.trips.files import FileFacts, SourceVersion, edition_of
from taxi_platform.trips.keys import Destination, Key, destination_key, raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

UNKNOWN_VERSION = SourceVersion(None, None, None)
RunOutcome = Literal["unfinished", "failed", "cancelled"]
State = Literal["materialized", "failed", "missing", "in progress", "file changed"]


@dataclass(frozen=True, kw_only=True)
class LoadRecord:
    """One row of ``tripdata_files``; of a month in BigQuery, its rows with the facts of its last materialization."""

    source: str
    facts: FileFacts
    rows_loaded: int
    rows_rejected: int
    untouched: bool  # whether the partition is attached and still the one that was swapped in
    current: bool  # whether it was loaded by today's contract
    ignored: str = ""  # the columns of the file that are not in the table, because the contract did not know them
    would_have_more: bool = False  # whether a load would add the columns that were ignored
    refused: str = ""  # the columns in which an older parser accepted values that today's refuses or reads differently
    changed_by_hand: bool = False  # whether rows were inserted, updated or deleted since, if that was asked for
    loaded_at: datetime | None = None  # by the clock of PostgreSQL

    @property
    def is_in_place(self) -> bool:
        """Whether the table holds the file as it would be loaded today."""
        return self.untouched and self.current


@dataclass(frozen=True, kw_only=True)
class Materialized:
    """Dagster's last materialization of one asset and month."""

    order: int  # the storage id of the event; later events have higher ones, whichever asset they are about
    run_id: str
    timestamp: float  # when, in seconds since 1970
    source: str = ""  # the address or path that the file came from
    version: SourceVersion = UNKNOWN_VERSION  # of the file at its source; the record of a table has the size alone
    facts: FileFacts | None = None  # of the file; None if the record does not contain them
    rows_loaded: int | None = None  # of a table; None for a file
    landed: bool = False  # whether the file was dropped by hand, so that it stays whatever its source has
    seconds: float = 0.0  # how long the load or the fetch took
    unchanged: bool = False  # whether the month was there already, so that nothing was loaded or fetched

    @property
    def at(self) -> datetime:
        """When it was recorded, in UTC."""
        return datetime.fromtimestamp(self.timestamp, timezone.utc)


@dataclass(frozen=True)
class Attempt:
    """The latest run that should materialize a month and has not, or not yet."""

    run_id: str
    outcome: RunOutcome  # ``cancelled`` also stands for a run that succeeded and left the month out
    at: datetime | None  # when it ended, else when it started or was created, in UTC


@dataclass(frozen=True)
class Waiting:
    """A Dagster backfill that has not dealt with a month yet, and since when it waits."""

    backfill_id: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class MonthRecord:
    """All that is known about one month of a service in one database; a part that was not asked for is empty."""

    service: Service
    month: Month
    destination: Destination = "postgres"  # the database whose table is meant
    is_partition: bool = True  # whether the settings allow it to be loaded
    address: str = ""  # where the source has it, or would have it
    published: SourceVersion | None = None  # the version that the source has now
    loaded: LoadRecord | None = None  # if the table holds the month as it would be loaded today
    tables_known: bool = False  # whether the database was asked and answered
    materialized: Mapping[Key, Materialized] = field(default_factory=dict[Key, Materialized])  # by asset
    attempts: Mapping[Key, Attempt] = field(default_factory=dict[Key, Attempt])  # by asset
    failed_checks: tuple[str, ...] = ()  # the blocking checks that the month's last materialization did not pass
    waiting: Waiting | None = None

    @property
    def file_name(self) -> str:
        """The name of the month's file in the table."""
        return self.service.file_name(self.month)

    @property
    def is_being_loaded(self) -> bool:
        """Whether a run or a backfill will load it, into any table."""
        return self.waiting is not None or any(each.outcome == "unfinished" for each in self.attempts.values())

    @property
    def raw(self) -> Materialized | None:
        """The last materialization of the raw file."""
        return self.materialized.get(raw_key(self.service.table))

    @property
    def key(self) -> Key:
        """The key of the asset that is the table."""
        return destination_key(self.service.table, self.destination)

    @property
    def table(self) -> Materialized | None:
        """The last materialization of the table."""
        return self.materialized.get(self.key)

    @property
    def attempt(self) -> Attempt | None:
        """The latest run that should load the table and has not."""
        return self.attempts.get(self.key)

    @property
    def last_run(self) -> Attempt | Materialized | None:
        """The last run that loaded the table or should have."""
        return self.attempt or self.table

    @property
    def state(self) -> State:
        """The state of the month in its table."""
        return self._state_and_note[0]

    @property
    def note(self) -> str:
        """What the state alone does not say, or nothing."""
        return self._state_and_note[1]

    @property
    def rows(self) -> int:
        """The rows of the month that are in the table."""
        table = self.table
        if self.tables_known or table is None:
            return self.loaded.rows_loaded if self.loaded else 0
        return (table.facts.rows if table.facts else 0) if table.rows_loaded is None else table.rows_loaded

    @property
    def file_bytes(self) -> int:
        """The size, as published, of the file that is in the table."""
        if self.tables_known or self.table is None:
            return self.loaded.facts.bytes if self.loaded else 0
        return self.table.version.bytes or 0

    @property
    def _state_and_note(self) -> tuple[State, str]:
        """Only attempts on the table count: a raw file may fail while the table holds the month."""
        attempt, table, waiting = self.attempt, self.table, self.waiting
        if attempt and attempt.outcome == "unfinished":
            return "in progress", f"run {attempt.run_id[:8]}"
        if waiting and not (table and table.at >= waiting.since):
            return "in progress", f"backfill {waiting.backfill_id}"
        if attempt and attempt.outcome == "failed":
            return "failed", f"run {attempt.run_id[:8]}"
        if table is None:
            return "missing", "in the table, but not recorded" if self.loaded else ""
        if self.tables_known and self.loaded is None:
            return "missing", "recorded, but not in the table any more"
        if self.failed_checks:
            return "failed", f"check {', '.join(self.failed_checks)}"
        if self.loaded and self.loaded.refused:
            return "failed", f"an older version accepted values in {self.loaded.refused} that are read differently now"
        change = self._change(table)
        return ("file changed", change) if change else ("materialized", "")

    def _change(self, table: Materialized) -> str:
        """Return how the month's file differs from the one in the table, or nothing."""
        if self.loaded and self.loaded.would_have_more:
            return f"TAXI_ON_NEW_COLUMNS would add {self.loaded.ignored} now"
        raw, published, source = self.raw, self.published, (self.loaded or table).source
        if raw is None:
            return ""
        if self.address and source and not raw.landed and edition_of(self.address) != edition_of(source):
            return f"the source has another edition, {edition_of(self.address)} instead of {edition_of(source)}"
        # An older record of the raw file proves nothing: the table may come from a file fetched without Dagster.
        fetched, in_table = (facts and facts.sha256 for facts in (raw.facts, (self.loaded or table).facts))
        if raw.order > table.order and fetched != in_table:
            return "the raw file is newer than the table"
        recorded = (raw.version.etag, raw.version.modified)
        if raw.landed or published is None or recorded == (None, None):
            return ""
        now = (published.etag, published.modified)
        return "" if now in ((None, None), recorded) else "the source has another version"
