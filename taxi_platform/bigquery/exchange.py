"""Exchanging a month's rows in a table: one statement at a time, whoever sends it.

BigQuery lets two statements run side by side that only insert, as they do while a month is not there yet: both would
put its rows into the table. So a statement's job is named for the state that it replaces, which versions of the file
are there with how many rows; BigQuery takes no second job of a name. Who comes late waits for the first and looks anew.
What failed or was undone since leaves its name taken, and the next number is tried: everybody takes the first free one.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from taxi_platform.bigquery import statements
from taxi_platform.bigquery.jobs import ROUNDS, Jobs
from taxi_platform.bigquery.outcomes import Spent, spent
from taxi_platform.bigquery.schema import VERSION
from taxi_platform.trips.months import Month

Log = Callable[[str], None]
State = Mapping[int, int]  # rows by version of the file


class Exchange:
    """One month of one table, as it was when it was looked at last.

    Args:
        jobs: those of the load.
        table: which table.
        month: which month.
        log: where progress is told.

    Attributes:
        there: which versions of the month's file are there, with how many rows each.

    Raises:
        CloudNotReady, CloudRefused, CloudUnavailable: BigQuery does not say.
    """

    def __init__(self, jobs: Jobs, table: str, month: Month, log: Log) -> None:
        self._jobs = jobs
        self._table = table
        self._month = month
        self._log = log
        self.there, self._seen_at = self._look()

    def run(self, step: str, statement: str, wanted: State) -> Spent:
        """Run the statement that makes the month what is wanted, unless somebody else does just that meanwhile.

        Raises:
            JobFailed: BigQuery cannot carry it out.
            CloudNotReady, CloudRefused, CloudUnavailable: it does not take the job, or breaks it off.
        """
        self._jobs.tell_estimate(step, statement)
        number = failures = 0
        while True:
            number += 1
            job, ours = self._jobs.run_once(self._name(number), statement)
            if ours:
                broken_off = self._jobs.broken_off(job)
                if broken_off is None:
                    return spent(job)
                failures += 1
                if failures == ROUNDS:
                    raise broken_off
                self._jobs.pause(broken_off, failures)
            elif job.ended >= self._seen_at:  # what ended before was seen
                before = self.there
                self.there, self._seen_at = self._look()
                if self.there == wanted:
                    self._log(f"{self._table}: {self._month} has just been made the same by job {job.job_id}")
                    return spent(job)
                number = number if self.there == before else 0

    def _look(self) -> tuple[State, datetime]:
        job: Any = self._jobs.query("look", statements.versions(self._table, self._month))
        return {row[VERSION]: row["rows_there"] for row in self._jobs.rows_of(job)}, job.created

    def _name(self, number: int) -> str:
        """The job's name: of letters, digits, dashes and underscores, whatever the table is called."""
        state = hashlib.sha256(repr((self._table, sorted(self.there.items()))).encode()).hexdigest()[:24]
        return f"taxi_exchange_{self._month}_{state}_{number}"
