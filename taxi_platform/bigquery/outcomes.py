"""What became of a job in BigQuery: what it took, or why it failed and whether that passes. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from taxi_platform.bigquery.answers import meaning
from taxi_platform.errors import CloudRefused, CloudUnavailable, TaxiError

_CONFLICT = re.compile(r"could not serialize access|concurrent update", re.IGNORECASE)
SHOWN = 5  # of a job's errors
# Google's own words; the client's exception has the status 500 for each that it does not know.
_BROKEN_OFF = ("backendError", "internalError", "jobBackendError", "jobInternalError", "tableUnavailable")
_TOO_MUCH = ("rateLimitExceeded", "jobRateLimitExceeded")


@dataclass(frozen=True)
class Spent:
    """What one job took.

    Attributes:
        job: its id.
        seconds: from its creation to its end, as BigQuery counts.
        bytes_processed: what it read; a load reads nothing that is billed.
        slot_ms: the milliseconds of BigQuery's processors.
        link: its page in Google's console.
    """

    job: str
    seconds: float
    bytes_processed: int
    slot_ms: int
    link: str


class JobFailed(Exception):
    """A job ended with an error that says something of its data or its statement; ``reason`` is Google's own word."""

    def __init__(self, job: Any) -> None:
        from google.api_core import exceptions

        super().__init__(_told([job.error_result, *(job.errors or [])]))
        self.reason = str(job.error_result.get("reason", ""))
        # The client's own exception says everything twice.
        self.error = cast("Any", exceptions).from_http_status(
            job.exception().code, str(self), errors=[job.error_result]
        )


def spent(job: Any) -> Spent:
    """What a job that has ended took."""
    seconds = (job.ended - job.created).total_seconds() if job.ended and job.created else 0.0
    return Spent(
        job=job.job_id,
        seconds=seconds,
        bytes_processed=getattr(job, "total_bytes_processed", None) or 0,
        slot_ms=getattr(job, "slot_millis", None) or 0,
        link=f"https://console.cloud.google.com/bigquery?project={job.project}"
        f"&j=bq:{job.location}:{job.job_id}&page=queryresults",
    )


def passing(job: Any, subject: str) -> CloudUnavailable | None:
    """Why a job failed, if that passes by itself."""
    failed = JobFailed(job)
    if failed.reason not in (*_BROKEN_OFF, *_TOO_MUCH) and not _CONFLICT.search(str(failed)):
        return None
    return CloudUnavailable(subject, f"BigQuery has broken off job {job.job_id}: {failed}", "Run it again.")


def final(job: Any, subject: str) -> Exception:
    """Why a job failed for good."""
    failed = JobFailed(job)
    if failed.reason in ("invalid", "invalidQuery"):
        return failed
    if failed.reason == "bytesBilledLimitExceeded":
        return CloudRefused(
            subject,
            f"BigQuery would bill more than it may: {failed}",
            "Something makes the statement read more than the month; or ask for fewer months at once.",
        )
    meant = meaning(failed.error, subject)
    return refused(failed, subject) if meant is None or meant.transient else meant


def refused(failed: JobFailed, subject: str) -> TaxiError:
    """A failed job in our words, for whoever has no other answer to it."""
    return CloudRefused(subject, f"BigQuery refuses it: {failed}", "See the job's page in Google's console.")


def _told(errors: Sequence[Mapping[str, Any]]) -> str:
    """What the errors say, each once, with the object of which they say it; a load's first one sums up the others."""
    said: dict[str, None] = {}
    for error in errors:
        text, place = " ".join(str(error.get("message", "")).split()).rstrip("."), str(error.get("location") or "")
        said[f"{text} ({place})" if "://" in place and place not in text else text] = None
    more = len(said) - SHOWN
    return "; ".join([*list(said)[:SHOWN], *([f"and {more} more"] if more > 0 else [])])
