"""One job in BigQuery: start it once, wait for it, retry it, cap and label its cost. What a job does is not known here.

Every job has an id that says whose it is: the load, the step, and numbers. A request that is sent again because its
answer was lost finds the job under its id and adopts it. A job that BigQuery ended early, or that lost against another
statement, is started again under the next number.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.bigquery.errors import JobEndedEarly, google_errors, is_transient, job_error
from taxi_platform.bigquery.tables import LABELS
from taxi_platform.retries import JOB

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJob, LoadJobConfig, QueryJob

logger = logging.getLogger(__name__)

BYTES_BILLED = 10 * 1024**3  # of one statement at most: the largest month needs a third of it, all months three times
_START_SECONDS = 300.0  # emulators answer when the job is done
_FIRST_POLL, _LONGEST_POLL = 0.1, 5.0  # seconds between two polls of a job
_PROGRESS_SECONDS = 60.0


@dataclass(frozen=True)
class Spent:
    """The cost of one job.

    Attributes:
        job: its id.
        seconds: from its creation to its end, by BigQuery's clock.
        bytes_processed: what it read; a load reads nothing that is billed.
        slot_ms: the milliseconds of BigQuery's processors.
        link: its page in Google's console.
    """

    job: str
    seconds: float
    bytes_processed: int
    slot_ms: int
    link: str


def spent(job: Any) -> Spent:
    """Return the cost of a job that has ended."""
    return Spent(
        job=job.job_id,
        seconds=(job.ended - job.created).total_seconds() if job.ended and job.created else 0.0,
        bytes_processed=getattr(job, "total_bytes_processed", None) or 0,
        slot_ms=getattr(job, "slot_millis", None) or 0,
        link=f"https://console.cloud.google.com/bigquery?project={job.project}"
        f"&j=bq:{job.location}:{job.job_id}&page=queryresults",
    )


class Jobs:
    """The jobs of one load, or of one other piece of work.

    Args:
        cloud: where they run.
        name: begins the ids of all of them; of letters, digits, dashes and underscores. Nobody else uses it.
        subject: what they are about, for messages.
        bytes_billed: what one statement may be billed for at most.
    """

    def __init__(self, cloud: Cloud, name: str, subject: str, bytes_billed: int = BYTES_BILLED) -> None:
        self._cloud = cloud
        self._name = name
        self._subject = subject
        self._bytes_billed = bytes_billed
        self._steps = count(1)  # the same query may be sent twice, and wants an answer of that moment

    def load(self, step: str, uri: str, table: str, config: "LoadJobConfig") -> "LoadJob":
        """Load an object into a table, and return the job when it has succeeded.

        Raises:
            JobFailed: BigQuery cannot read the object in the way that the configuration says.
            CloudNotReady: the dataset or the object does not exist.
            CloudRefused: the account may not load.
            CloudUnavailable: Google does not answer, or ended the job early each time.
        """

        def start(job_id: str) -> "LoadJob":
            return self._client.load_table_from_uri(uri, table, job_id=job_id, job_config=config, **self._options())

        return self._run(step, start)

    def query(self, step: str, statement: str, *, destination: str | None = None) -> "QueryJob":
        """Run a statement, log beforehand what it will read, and return the job when it has succeeded.

        Args:
            step: what it is for, in the id of the job.
            statement: the SQL.
            destination: the table, or the partition ``table$YYYYMM``, whose rows are replaced by those of the query.

        Raises:
            JobFailed: BigQuery cannot carry the statement out.
            CloudNotReady: the dataset or a table does not exist.
            CloudRefused: the account may not run it, or it would cost too much.
            CloudUnavailable: Google does not answer, or ended the job early each time.
        """
        self._log_estimate(step, statement)
        config: dict[str, Any] = {"maximum_bytes_billed": self._bytes_billed}
        if destination:
            config |= {
                "destination": destination,
                "write_disposition": "WRITE_TRUNCATE",
                "create_disposition": "CREATE_NEVER",  # a table that is created here would not be partitioned
            }
        return self._run(step, lambda job_id: self._query(statement, job_id, **config))

    def rows(self, step: str, statement: str) -> list[Mapping[str, Any]]:
        """Return the rows of a query that has few.

        Raises:
            JobFailed: BigQuery cannot carry the statement out.
            CloudNotReady: the dataset or a table does not exist.
            CloudRefused: the account may not run it.
            CloudUnavailable: Google does not answer.
        """
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
            f"{self._bytes_billed:,}",
        )

    def _query(self, statement: str, job_id: str | None = None, **config: Any) -> "QueryJob":
        from google.cloud.bigquery import QueryJobConfig

        settings = QueryJobConfig(use_query_cache=False, labels=LABELS, **config)
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
        """Poll a job until it has ended."""
        pause = _FIRST_POLL
        logged = started = time.monotonic()
        with google_errors(self._subject):
            while job.state != "DONE":
                time.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_POLL)
                job.reload(**self._cloud.bigquery_options(self._subject))
                if time.monotonic() - logged > _PROGRESS_SECONDS:
                    logged = time.monotonic()
                    logger.info("%s: job %s is %s for %.0f s", self._subject, job.job_id, job.state, logged - started)
