"""One job in BigQuery: start it once, wait for it, retry it, cap and label its cost. What a job does is not known here.

Every job has an id that says whose it is: the load, the step, and numbers. A request that is sent again because its
answer was lost finds the job under its id and adopts it. A job that BigQuery ended early, or that lost against another
statement, is started again under the next number.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.errors import JobEndedEarly, google_errors, is_transient, job_error
from taxi_platform.bigquery.tables import LABELS
from taxi_platform.errors import CloudUnavailable
from taxi_platform.retries import JOB, JOB_END

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
    """The jobs of one load, or of one other piece of work.

    Each method returns when the job has succeeded. It raises ``JobFailed`` where BigQuery cannot carry the job out,
    ``CloudNotReady`` where the dataset or a table does not exist, ``CloudRefused`` where a role is missing or the job
    would cost too much, and ``CloudUnavailable`` where Google does not answer or ended the job early each time.

    Args:
        cloud: where they run.
        name: begins the ids of all of them; of letters, digits, dashes and underscores. Nobody else uses it.
        subject: what they are about, for messages.
        labels: by which their cost is found; lower-case letters, digits, dashes and underscores.
    """

    def __init__(self, cloud: Cloud, name: str, subject: str, labels: Mapping[str, str] | None = None) -> None:
        self._cloud = cloud
        self._labels = {**LABELS, **(labels or {})}
        self._name = name
        self._subject = subject
        self._steps = count(1)  # the same query may be sent twice, and wants an answer of that moment

    def load(self, step: str, uri: str, table: str, config: "LoadJobConfig") -> "LoadJob":
        """Load an object into a table, and return the job when it has succeeded."""
        config.labels = self._labels

        def start(job_id: str) -> "LoadJob":
            return self._client.load_table_from_uri(uri, table, job_id=job_id, job_config=config, **self._options())

        return self._run(step, start)

    def query(self, step: str, statement: str, *, destination: str | None = None) -> "QueryJob":
        """Run a statement, log beforehand what it will read, and return the job when it has succeeded.

        Args:
            step: what it is for, in the id of the job.
            statement: the SQL.
            destination: the table, or the partition ``table$YYYYMM``, whose rows are replaced by those of the query.
        """
        self._log_estimate(step, statement)
        config: dict[str, Any] = {"maximum_bytes_billed": self._cloud.bytes_billed}
        if destination:
            config |= {
                "destination": destination,
                "write_disposition": "WRITE_TRUNCATE",
                "create_disposition": "CREATE_NEVER",  # a table that is created here would not be partitioned
            }
        return self._run(step, lambda job_id: self._query(statement, job_id, **config))

    def rows(self, step: str, statement: str) -> list[Mapping[str, Any]]:
        """Return the rows of a query that has few."""
        job = self.query(step, statement)
        with google_errors(self._subject):
            return [
                dict(row.items()) for row in cast("Any", job).result(retry=self._options()["retry"], job_retry=None)
            ]

    def _log_estimate(self, step: str, statement: str) -> None:
        with google_errors(self._subject):
            estimate = cast("Any", self._query(statement, dry_run=True)).total_bytes_processed or 0
        logger.info(
            "%s: the statement to %s will read at most %s bytes; BigQuery refuses to bill more than %s",
            self._subject,
            step,
            f"{estimate:,}",
            f"{self._cloud.bytes_billed:,}",
        )

    def _query(self, statement: str, job_id: str | None = None, **config: Any) -> "QueryJob":
        from google.cloud.bigquery import QueryJobConfig

        settings = QueryJobConfig(use_query_cache=False, labels=self._labels, **config)
        return self._client.query(statement, settings, job_id=job_id, job_retry=None, **self._options())

    @property
    def _client(self) -> Any:
        return self._cloud.bigquery

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
        """Wait until a job has ended. One that takes too long is ended, and gives its place in the pool free."""

        def has_ended() -> bool:
            if job.state != "DONE":
                job.reload(**self._cloud.bigquery_options(self._subject))
            return job.state == "DONE"

        with google_errors(self._subject):
            if not JOB_END.wait_until(has_ended, waiting_for=f"{self._subject}: BigQuery works on job {job.job_id}"):
                job.cancel(**self._cloud.bigquery_options(self._subject))
                raise CloudUnavailable(
                    self._subject, f"BigQuery has not ended job {job.job_id} in an hour", "Run it again later."
                )
