"""Running jobs in BigQuery: each once, however often it is asked for, and what it cost. What they do is not known here.

Every job has an id that says whose it is: the attempt, the step, and numbers. A request that is sent again because
its answer was lost finds the job under its id and takes it over. A job that BigQuery itself broke off, or that lost
against another one, is begun again under the next number.
"""

import random
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.answers import asking, meaning
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.outcomes import Spent, final, passing, spent
from taxi_platform.bigquery.patience import PATIENT, Patience
from taxi_platform.errors import CloudUnavailable

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.bigquery import LoadJob, LoadJobConfig, QueryJob

Log = Callable[[str], None]

LABELS = {"app": "taxi_platform"}
ROUNDS = 5  # of one job: conflicts and hiccups are over by then, and what is not will not pass by itself
BYTES_BILLED = 10 * 1024**3  # of one statement at most: the largest months take a third of it, all months three times
_BEGIN_SECONDS = 300.0  # the stand-ins answer when the job is done
_POLLS = (0.1, 5.0)  # seconds between two looks at a job, at first and at last
_TOLD_EVERY = 60.0  # seconds


class Jobs:
    """The jobs of one attempt.

    Args:
        cloud: where they run.
        name: begins the ids of all of them; of letters, digits, dashes and underscores. No other attempt has it.
        subject: what they are about, for messages.
        log: where progress is told.
        patience: how long Google is asked again.
        bytes_billed: what one statement may be billed for at most.
    """

    def __init__(
        self,
        cloud: Cloud,
        name: str,
        subject: str,
        log: Log,
        patience: Patience = PATIENT,
        bytes_billed: int = BYTES_BILLED,
    ) -> None:
        self._cloud = cloud
        self._name = name
        self._subject = subject
        self._log = log
        self._patience = patience
        self._bytes_billed = bytes_billed
        self._steps = count(1)  # a query may be asked again, and then wants an answer of that moment

    def load(self, step: str, uri: str, table: str, config: "LoadJobConfig") -> tuple[int, Spent]:
        """Load an object into a table, and say how many rows that were.

        Raises:
            JobFailed: BigQuery cannot read the object as the configuration says.
            CloudNotReady, CloudRefused, CloudUnavailable: it does not take the job, or breaks it off.
        """

        def begin(job_id: str) -> "LoadJob":
            return self._client.load_table_from_uri(
                uri, table, job_id=job_id, job_config=config, retry=self._retry(), timeout=_BEGIN_SECONDS
            )

        job = self._run(self._next(step), begin)
        return int(job.output_rows or 0), spent(job)

    def change(self, step: str, statement: str) -> Spent:
        """Run a statement that changes a table, once it is known what it will read.

        Raises:
            JobFailed: BigQuery cannot carry it out.
            CloudNotReady, CloudRefused, CloudUnavailable: it does not take the job, or breaks it off.
        """
        return spent(self.query(step, statement))

    def rows(self, step: str, statement: str) -> list[Mapping[str, Any]]:
        """The rows that a query finds, of which there are few.

        Raises:
            as ``change`` does.
        """
        return self.rows_of(self.query(step, statement))

    def rows_of(self, job: Any) -> list[Mapping[str, Any]]:
        """The rows that a query has found, of which there are few.

        Raises:
            CloudRefused, CloudUnavailable: BigQuery does not hand them out.
        """
        with asking(self._subject):
            return [dict(row.items()) for row in job.result(retry=self._retry(), job_retry=None)]

    def query(self, step: str, statement: str) -> Any:
        """The client's job of a query that has succeeded, once it was known what it would read.

        Raises:
            as ``change`` does.
        """
        self.tell_estimate(step, statement)
        return self._run(self._next(step), lambda job_id: self._begin_query(job_id, statement))

    def run_once(self, job_id: str, statement: str) -> tuple[Any, bool]:
        """A statement's job that has ended, well or not, and whether it was begun here; else another has that id.

        Raises:
            CloudNotReady, CloudRefused, CloudUnavailable: BigQuery does not take the job.
        """
        job, ours = self._begin(job_id, lambda job_id: self._begin_query(job_id, statement))
        self._wait(job)
        return job, ours

    def broken_off(self, job: Any) -> CloudUnavailable | None:
        """Why a job was broken off that may be begun again; none for one that has succeeded.

        Raises:
            JobFailed, CloudNotReady, CloudRefused: it has failed for good.
        """
        if job.error_result is None:
            return None
        broken_off = passing(job, self._subject)
        if broken_off is None:
            raise final(job, self._subject)
        return broken_off

    def pause(self, broken_off: CloudUnavailable, failures: int) -> None:
        """Wait before a job is begun again, the longer the more often it has failed."""
        self._log(f"{self._subject}: {broken_off.what}; beginning anew")
        pause = min(self._patience.first_wait * 2**failures, self._patience.longest_wait)
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that two that met do not meet again

    def tell_estimate(self, step: str, statement: str) -> None:
        """Tell what a statement will read, before it does.

        Raises:
            CloudNotReady, CloudRefused, CloudUnavailable: BigQuery does not say.
        """
        with asking(self._subject):
            estimated = cast("Any", self._query(statement, dry_run=True)).total_bytes_processed or 0
        self._log(
            f"{self._subject}: the statement to {step.replace('_', ' ')} will read {estimated:,} bytes at most; "
            f"BigQuery refuses to bill more than {self._bytes_billed:,}"
        )

    def _begin_query(self, job_id: str, statement: str) -> "QueryJob":
        return self._query(statement, job_id=job_id, maximum_bytes_billed=self._bytes_billed)

    def _query(self, statement: str, job_id: str | None = None, **config: Any) -> "QueryJob":
        from google.cloud.bigquery import QueryJobConfig

        return self._client.query(
            statement,
            QueryJobConfig(use_query_cache=False, labels=LABELS, **config),
            job_id=job_id,
            retry=self._retry(),
            job_retry=None,
            timeout=_BEGIN_SECONDS,
        )

    @property
    def _client(self) -> Any:
        return self._cloud.bigquery

    def _next(self, step: str) -> str:
        return f"{self._name}_{next(self._steps)}_{step}"

    def _run(self, name: str, begin: Callable[[str], Any]) -> Any:
        number = 1
        while True:
            job, _ = self._begin(f"{name}_{number}", begin)
            self._wait(job)
            broken_off = self.broken_off(job)
            if broken_off is None:
                return job
            if number == ROUNDS:
                raise broken_off
            self.pause(broken_off, number)
            number += 1

    def _begin(self, job_id: str, begin: Callable[[str], Any]) -> tuple[Any, bool]:
        """The job of this id, and whether it began now: else by a request whose answer was lost, or by another load."""
        from google.api_core.exceptions import Conflict

        with asking(self._subject):
            try:
                return begin(job_id), True
            except Conflict:
                self._log(f"{self._subject}: job {job_id} has been begun already; waiting for that one")
                retry = self._retry(even_absent=True)
                return self._client.get_job(job_id, location=self._cloud.location, retry=retry), False

    def _wait(self, job: Any) -> None:
        """Look at a job until it has ended."""
        pause, longest = _POLLS
        told = started = time.monotonic()
        with asking(self._subject):
            while job.state != "DONE":
                time.sleep(pause)
                pause = min(pause * 1.5, longest)
                job.reload(retry=self._retry(), timeout=self._patience.read_timeout)
                if time.monotonic() - told > _TOLD_EVERY:
                    told = time.monotonic()
                    self._log(f"{self._subject}: job {job.job_id} is {job.state}, for {told - started:.0f} s now")

    def _retry(self, *, even_absent: bool = False) -> "Retry":
        """The client's retry; ``even_absent`` for a job that only some of Google's servers know by now."""
        from google.api_core.exceptions import NotFound

        retry = self._patience.retry(self._subject, self._log)
        if not even_absent:
            return retry
        return retry.with_predicate(
            lambda error: isinstance(error, NotFound) or isinstance(meaning(error, self._subject), CloudUnavailable)
        )
