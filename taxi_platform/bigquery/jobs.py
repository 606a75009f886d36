"""One job in BigQuery: start it once, wait for it, retry it, label it. What a job does is not known here.

Every job has an id that nobody else uses: only the account that started a job may see it. A request that is sent again
because its answer was lost finds its own job under the id and adopts it. A job that BigQuery ended early, or that lost
against another statement, is started again under the next number.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.errors import JobEndedEarly, google_errors, is_transient, job_error
from taxi_platform.errors import CloudUnavailable, TaxiError
from taxi_platform.retries import JOB, JOB_END
from taxi_platform.trips.months import Month

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJob, LoadJobConfig, QueryJob

logger = logging.getLogger(__name__)

_START_SECONDS = 300.0  # emulators answer when the job is done


@dataclass(frozen=True)
class Spent:
    """The cost of one job: its seconds by BigQuery's clock, bytes read and billed, milliseconds of its processors."""

    job: str
    seconds: float
    bytes_processed: int
    bytes_billed: int
    slot_ms: int
    link: str


def spent(job: Any) -> Spent:
    """Return the cost of a job that has ended."""
    return Spent(
        job=job.job_id,
        seconds=(job.ended - job.created).total_seconds() if job.ended and job.created else 0.0,
        bytes_processed=getattr(job, "total_bytes_processed", None) or 0,
        bytes_billed=getattr(job, "total_bytes_billed", None) or 0,  # loads are free
        slot_ms=getattr(job, "slot_millis", None) or 0,
        link=f"https://console.cloud.google.com/bigquery?project={job.project}"
        f"&j=bq:{job.location}:{job.job_id}&page=queryresults",
    )


class Jobs:
    """The jobs of one load, or of one other piece of work: about ``subject``, with ``service`` and ``month`` as labels.

    Each method returns when the job has succeeded. It raises ``JobFailed`` where BigQuery cannot carry the job out,
    ``CloudRefused`` also where the job would cost too much, and ``CloudUnavailable`` also where BigQuery ended the job
    early each time.
    """

    def __init__(self, cloud: Cloud, subject: str, service: str, month: Month | None = None) -> None:
        self._cloud = cloud
        self._client: Any = cloud.bigquery
        self._subject = subject
        self._labels = {**cloud.labels, "service": service, **({"month": str(month)} if month else {})}
        self._name = "_".join(["taxi", service, *([str(month)] if month else []), cloud.run, uuid4().hex])
        self._steps = count(1)  # the same query may be sent twice, each time for a current answer

    def load(self, step: str, uri: str, table: str, config: "LoadJobConfig") -> "LoadJob":
        """Load an object into a table, and return the job when it has succeeded."""
        config.labels = self._labels

        def start(job_id: str) -> "LoadJob":
            return self._client.load_table_from_uri(uri, table, job_id=job_id, job_config=config, **self._options())

        return self._run(step, start)

    def query(self, step: str, statement: str, *, destination: str | None = None) -> "QueryJob":
        """Run a statement, log beforehand what it will read, and return the job when it has succeeded.

        The rows of the query replace those of ``destination``, a table or a partition ``table$YYYYMM``.
        """
        with google_errors(self._subject):
            estimate = cast("Any", self._query(statement, dry_run=True)).total_bytes_processed or 0
        reads = f"{self._subject}: the statement to {step} will read at most {estimate:,} bytes"
        logger.info("%s; BigQuery refuses to bill more than %s", reads, f"{self._cloud.bytes_billed:,}")
        # A table that is created here would not be partitioned.
        replaced = {"write_disposition": "WRITE_TRUNCATE", "create_disposition": "CREATE_NEVER"}
        config: dict[str, Any] = {"destination": destination, **replaced} if destination else {}
        return self._run(step, lambda job_id: self._query(statement, job_id, **config))

    def rows(self, step: str, statement: str) -> list[Mapping[str, Any]]:
        """Return the rows of a query that has few."""
        job: Any = self.query(step, statement)
        with google_errors(self._subject):
            return [dict(row.items()) for row in job.result(retry=self._options()["retry"], job_retry=None)]

    def _query(self, statement: str, job_id: str | None = None, **config: Any) -> "QueryJob":
        from google.cloud.bigquery import QueryJobConfig

        settings = QueryJobConfig(labels=self._labels, **config)
        return self._client.query(statement, settings, job_id=job_id, job_retry=None, **self._options())

    def _options(self) -> dict[str, Any]:
        return {**self._cloud.bigquery_options(self._subject), "timeout": _START_SECONDS}

    def _run(self, step: str, start: Callable[[str], Any]) -> Any:
        """Return the job when it has succeeded, started again as often as that can help."""
        name = f"{self._name}_{next(self._steps)}_{step}"
        numbers = count(1)

        def attempt() -> Any:
            job = self._start(f"{name}_{next(numbers)}", start)
            self._wait(job)
            if error := job_error(job, self._subject):
                raise error
            return job

        return JOB.run(attempt, subject=self._subject, is_transient=lambda error: isinstance(error, JobEndedEarly))

    def _start(self, job_id: str, start: Callable[[str], Any]) -> Any:
        """Return the job of this id, started now or by an earlier request whose answer was lost."""
        from google.api_core.exceptions import Conflict, NotFound

        with google_errors(self._subject):
            try:
                return start(job_id)
            except Conflict:
                logger.info("%s: job %s has been started already; waiting for that one", self._subject, job_id)

                # For a moment, only some of Google's servers know a new job.
                def may_pass(error: BaseException) -> bool:
                    return isinstance(error, NotFound) or is_transient(error)

                retry = self._options()["retry"].with_predicate(may_pass)
                return self._client.get_job(job_id, location=self._cloud.location, retry=retry)

    def _wait(self, job: Any) -> None:
        """Wait until a job has ended; cancel one that takes too long, or that nobody waits for because the run ends."""

        def has_ended() -> bool:
            if job.state != "DONE":
                job.reload(**self._cloud.bigquery_options(self._subject))
            return job.state == "DONE"

        waiting = f"{self._subject}: BigQuery works on job {job.job_id}"
        try:
            with google_errors(self._subject):
                if JOB_END.wait_until(has_ended, waiting_for=waiting):
                    return
            what = f"BigQuery has not ended job {job.job_id} in an hour"
            raise CloudUnavailable(self._subject, what, "Run it again later.")
        finally:
            if job.state != "DONE":
                self._cancel(job)

    def _cancel(self, job: Any) -> None:
        try:
            with google_errors(self._subject):
                job.cancel(retry=None, timeout=self._cloud.timeouts[1])
        except TaxiError:
            logger.warning("%s: job %s goes on in BigQuery, because it cannot be canceled", self._subject, job.job_id)
