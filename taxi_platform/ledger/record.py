"""What is known about one month: ``MonthRecord`` and its parts. Pure values; who reads them is in ``reading``.

A claim is kept apart from a fact: Dagster's materialization says that a month was loaded, the load record in the
database says what is in the table now, and the source says what it has. ``states`` decides which one counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

from taxi_platform.trips.files import FileFacts, SourceVersion
from taxi_platform.trips.keys import Key, raw_key, table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

UNKNOWN_VERSION = SourceVersion(None, None, None)
Outcome = Literal["unfinished", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class LoadRecord:
    """One row of ``tripdata_files``: what the database recorded when a month was swapped in.

    Attributes:
        source: the address or path that the file came from.
        facts: of that file.
        rows_loaded: its rows in the table.
        rows_rejected: its records among the rejects instead.
        contract: the fingerprint of the contract that it was loaded by.
        loaded_at: when it was swapped in.
        untouched: whether the partition is attached and still the one that was swapped in.
        current: whether that contract is today's.
    """

    source: str
    facts: FileFacts
    rows_loaded: int
    rows_rejected: int
    contract: str
    loaded_at: datetime
    untouched: bool
    current: bool

    @property
    def is_in_place(self) -> bool:
        """Whether the table holds the file as it would be loaded today."""
        return self.untouched and self.current


@dataclass(frozen=True, kw_only=True)
class Materialized:
    """Dagster's last materialization of one asset and month.

    Attributes:
        order: the storage id of the event; comparable between assets, and later events have higher ones.
        run_id: the run that recorded it.
        timestamp: when, in seconds since 1970.
        source: the address or path that the file came from.
        version: of the file at its source; the record of a table knows the size alone.
        facts: of the file; None if the record does not say.
        rows_loaded: of a table; None for a file.
        landed: whether the file was dropped by hand, so that it stays whatever its source has.
    """

    order: int
    run_id: str
    timestamp: float
    source: str = ""
    version: SourceVersion = UNKNOWN_VERSION
    facts: FileFacts | None = None
    rows_loaded: int | None = None
    landed: bool = False

    @property
    def at(self) -> datetime:
        """When it was recorded, in UTC."""
        return datetime.fromtimestamp(self.timestamp, timezone.utc)


@dataclass(frozen=True)
class Attempt:
    """The latest run that was to materialize a month and has not, or not yet.

    Attributes:
        run_id: the run.
        outcome: ``cancelled`` also stands for a run that succeeded and left the month out.
        at: when it ended, else when it started or was created, in UTC.
    """

    run_id: str
    outcome: Outcome
    at: datetime | None

    @property
    def failed(self) -> bool:
        """Whether the run failed, and so left the month."""
        return self.outcome == "failed"


@dataclass(frozen=True)
class Waiting:
    """A Dagster backfill that has not dealt with a month yet, and since when it waits."""

    backfill_id: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class MonthRecord:
    """All that is known about one month of a service.

    A part that was not asked for, or could not be asked, is empty. The tables are the only part that may be unreachable
    without stopping the reader, so ``tables_known`` tells an empty table from one that could not be asked.

    Attributes:
        service: whose month.
        month: the month.
        is_partition: whether the settings allow it to be loaded.
        published: the version that the source has now.
        loaded: the load record in PostgreSQL, if the table holds the month as it would be loaded today.
        tables_known: whether PostgreSQL was asked and answered.
        materialized: Dagster's last materialization, by asset.
        attempts: the latest run that was to materialize the month and has not, by asset.
        failed_checks: the blocking checks that the month's last materialization did not pass.
        waiting: the Dagster backfill that has not dealt with the month yet.
    """

    service: Service
    month: Month
    is_partition: bool = True
    published: SourceVersion | None = None
    loaded: LoadRecord | None = None
    tables_known: bool = False
    materialized: Mapping[Key, Materialized] = field(default_factory=dict[Key, Materialized])
    attempts: Mapping[Key, Attempt] = field(default_factory=dict[Key, Attempt])
    failed_checks: tuple[str, ...] = ()
    waiting: Waiting | None = None

    @property
    def file_name(self) -> str:
        """The name of the month's file, under which the database and the sensors know the month."""
        return self.service.file_name(self.month)

    @property
    def raw(self) -> Materialized | None:
        """The last materialization of the raw file."""
        return self.materialized.get(raw_key(self.service.table))

    @property
    def table(self) -> Materialized | None:
        """The last materialization of the PostgreSQL table."""
        return self.materialized.get(table_key(self.service.table))

    @property
    def attempt(self) -> Attempt | None:
        """The latest run that was to load the PostgreSQL table and has not."""
        return self.attempts.get(table_key(self.service.table))
