"""Loading one month into the warehouse: from a file of the lake into a staging table, and from there by one statement.

Knows nothing of Dagster; a shell can call it. A reader sees the old month or the new one. A load that is killed leaves
at most a staging table, which expires by itself, and nothing that the next load would mind.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Literal
from uuid import uuid4

from taxi_platform.bigquery import schema, statements
from taxi_platform.bigquery.careful import Prepared
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.exchange import Exchange
from taxi_platform.bigquery.jobs import BYTES_BILLED, Jobs
from taxi_platform.bigquery.outcomes import JobFailed, Spent, refused
from taxi_platform.bigquery.patience import PATIENT, Patience
from taxi_platform.bigquery.staging import NotPlain, Staging, scratch
from taxi_platform.bigquery.tables import Tables
from taxi_platform.errors import BadRows
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.headers import Header
from taxi_platform.trips.services import SERVICES

Log = Callable[[str], None]
OnBadRows = Literal["fail", "quarantine"]


@dataclass(frozen=True)
class Loaded:
    """What is in the warehouse for one month.

    Attributes:
        table: the service's table, with project and dataset.
        rows: rows of the month in it.
        rejected: records of the file that are among the rejects instead.
        seconds: how long this took.
        unchanged: whether the month was there already, from the very same file, and nothing was done.
        line_by_line: whether the file had to be read so.
        jobs: the jobs that this took, by step.
    """

    table: str
    rows: int
    rejected: int
    seconds: float
    unchanged: bool
    line_by_line: bool
    jobs: dict[str, Spent]


@dataclass
class _Tally:
    loaded: int
    rejected: int = 0
    line_by_line: bool = False
    unchanged: bool = False
    jobs: dict[str, Spent] = field(default_factory=dict[str, Spent])


def load_month(
    cloud: Cloud,
    file: TripFile,
    log: Log,
    *,
    run: str,
    on_bad_rows: OnBadRows = "fail",
    force: bool = False,
    bytes_billed: int = BYTES_BILLED,
    patience: Patience = PATIENT,
) -> Loaded:
    """Make the month in the warehouse exactly its file.

    Args:
        cloud: the project and its dataset.
        file: the verified file, as an object of the lake.
        log: where progress is told.
        run: who loads it, for the names of jobs and staging tables; of letters, digits and underscores. Each call is an
            attempt of its own, with names that no other has: what another one has staged may be gone.
        on_bad_rows: whether bad rows fail the month, or are set aside among the service's rejects.
        force: load even when the table holds this very file already.
        bytes_billed: what one statement may be billed for at most.
        patience: how long Google is asked again.

    Raises:
        BadRows: records that cannot be stored, with their lines; the table is as it was.
        DamagedFile, SchemaMismatch: the object is not what it should be, or the table is not ours.
        CloudNotReady, CloudRefused, CloudUnavailable: as they say; the table is as it was.
    """
    started = time.monotonic()
    service = SERVICES[file.service]
    attempt = f"{run}_{uuid4().hex[:8]}"
    name = f"taxi_{service.name}_{file.month}_{file.sha256[:12]}_{attempt}"
    jobs = Jobs(cloud, name, service.file_name(file.month), log, patience, bytes_billed)
    load = _Load(cloud, file, jobs, log, attempt, on_bad_rows, patience)
    try:
        tally = load.run(force=force)
    except JobFailed as failed:
        raise refused(failed, service.file_name(file.month)) from failed
    return Loaded(
        table=load.table,
        rows=tally.loaded,
        rejected=tally.rejected,
        seconds=time.monotonic() - started,
        unchanged=tally.unchanged,
        line_by_line=tally.line_by_line,
        jobs=tally.jobs,
    )


class _Load:
    """One file on its way into its table."""

    def __init__(
        self,
        cloud: Cloud,
        file: TripFile,
        jobs: Jobs,
        log: Log,
        attempt: str,
        on_bad_rows: OnBadRows,
        patience: Patience,
    ) -> None:
        self.service = SERVICES[file.service]
        self.table = schema.table_of(cloud, self.service)
        self._subject = self.service.file_name(file.month)
        self._file = file
        self._jobs = jobs
        self._log = log
        self._on_bad_rows = on_bad_rows
        self._tables = Tables(cloud, log, patience)
        self._staging = Staging(cloud, file, jobs, self._tables, log, patience)
        self._staged = schema.staging_of(self.table, file.month, attempt)
        self._prepared = schema.staging_of(self.table, file.month, f"{attempt}_prepared")
        self._rejects = schema.rejects_of(cloud, self.service)
        self._staged_rejects = schema.staging_of(self._rejects, file.month, attempt)
        self._version = schema.version_of(self.service, file)

    def run(self, *, force: bool) -> _Tally:
        """Load the month, unless it is there."""
        self._tables.ensure(
            self.table, schema.trip_fields(self.service), schema.clustering(self.service), self.service.description
        )
        exchange = Exchange(self._jobs, self.table, self._file.month, self._log)
        found = None if force else self._already_there(exchange)
        if found:
            return found
        header = self._staging.header()
        try:
            return self._load_plain(exchange, header)
        except NotPlain as reason:
            self._staging.confirm()
            self._log(f"{self._subject}: reading it line by line ({reason})")
            return self._load_carefully(exchange, header)
        finally:
            self._staging.clear()

    def _already_there(self, exchange: Exchange) -> _Tally | None:
        """What an earlier load of this very file left, if it is still there whole."""
        loaded, rejected = self._rows_of(exchange), 0
        if loaded is None:
            return None
        if loaded < self._file.rows and self._on_bad_rows == "quarantine" and self._tables.find(self._rejects):
            rejects = Exchange(self._jobs, self._rejects, self._file.month, self._log)
            rejected = self._rows_of(rejects) or 0
        whole = loaded + rejected == self._file.rows
        return _Tally(loaded, rejected, unchanged=True) if whole else None

    def _rows_of(self, exchange: Exchange) -> int | None:
        """The month's rows, if all of them are of this version."""
        return exchange.there.get(self._version) if len(exchange.there) == 1 else None

    def _load_plain(self, exchange: Exchange, header: Header) -> _Tally:
        """Let BigQuery read the object itself; what is not plain stops it before anything is visible."""
        loaded = self._staging.load_as_it_is(header, self._staged)
        self._staging.confirm()
        try:
            replaced = self._replace(exchange, header, self._file.rows, prepared=False)
        except JobFailed as failed:
            raise NotPlain(f"BigQuery says: {failed}") from failed
        self._forget_other_rejects()
        return _Tally(self._file.rows, jobs={"load": loaded, "replace": replaced})

    def _load_carefully(self, exchange: Exchange, header: Header) -> _Tally:
        """Read the object here. Rejects are stored first: with rows of their version in the table, they are there."""
        with scratch() as (good, bad):
            done = self._staging.prepare(good, bad)
            if done.rejected and (self._on_bad_rows == "fail" or not done.loaded):
                raise _bad_rows(self._subject, done)
            fields = schema.staged_fields(header, prepared=True)
            loaded = self._staging.load_prepared(good, done.loaded, "load_prepared", self._prepared, fields)
            if done.rejected:
                self._store_rejects(bad, done.rejected)
            replaced = self._replace(exchange, header, done.loaded, prepared=True)
        self._forget_other_rejects()
        return _Tally(done.loaded, done.rejected, line_by_line=True, jobs={"load": loaded, "replace": replaced})

    def _replace(self, exchange: Exchange, header: Header, count: int, *, prepared: bool) -> Spent:
        month = self._file.month
        staged = self._prepared if prepared else self._staged
        rows = statements.staged_trips(self.service, month, header, self._version, staged, prepared=prepared)
        fields = schema.trip_fields(self.service)
        statement = statements.replace_month(self.table, month, fields, rows)
        return exchange.run("replace the month", statement, {self._version: count})

    def _store_rejects(self, bad: IO[bytes], count: int) -> None:
        month, fields = self._file.month, schema.reject_fields()
        meaning = f"Rows of {self.service.name} files that are no trips: where they stand, and why they were rejected."
        self._tables.ensure(self._rejects, fields, (), meaning)
        self._staging.load_prepared(bad, count, "load_rejects", self._staged_rejects, schema.staged_reject_fields())
        rows = statements.staged_rejects(self.service, month, self._version, self._staged_rejects)
        statement = statements.replace_month(self._rejects, month, fields, rows, self._version)
        exchange = Exchange(self._jobs, self._rejects, month, self._log)
        exchange.run("replace the rejects", statement, {**exchange.there, self._version: count})

    def _forget_other_rejects(self) -> None:
        if self._tables.find(self._rejects):
            statement = statements.clear_other_versions(self._rejects, self._file.month, self._version)
            self._jobs.change("forget_rejects", statement)


def _bad_rows(subject: str, done: Prepared) -> BadRows:
    lines = "".join(f"\n  line {record.line}: {record.problem}: {record.text[:200]}" for record in done.first)
    more = f"\n  … and {done.rejected - len(done.first):,} more" if done.rejected > len(done.first) else ""
    return BadRows(
        subject,
        f"{done.rejected:,} of {done.rows:,} rows cannot be stored:{lines}{more}\nThe table is as it was",
        "Correct the file, or set TAXI_ON_BAD_ROWS=quarantine to load the good rows and keep the bad ones aside.",
    )
