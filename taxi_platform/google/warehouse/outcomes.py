"""What became of a job in BigQuery: what it took, or why it failed and whether that passes. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxi_platform.failures import CloudRefused, CloudUnavailable, TaxiError
from taxi_platform.google.answers import meaning

_CONFLICT = re.compile(r"could not serialize access|concurrent update", re.IGNORECASE)
_BROKEN_OFF = ("jobBackendError", "jobInternalError", "tableUnavailable")


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

    def __init__(self, error: Any) -> None:
        self.error = error
        self.reason = str(_first(error).get("reason", ""))
        super().__init__(str(_first(error).get("message") or error))


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
    failed = JobFailed(job.exception())
    meant = meaning(failed.error, subject)
    if isinstance(meant, CloudUnavailable):
        return meant
    if failed.reason in _BROKEN_OFF or _CONFLICT.search(str(failed)):
        return CloudUnavailable(subject, f"BigQuery has broken off job {job.job_id}: {failed}", "Run it again.")
    return None


def final(job: Any, subject: str) -> Exception:
    """Why a job failed for good."""
    failed = JobFailed(job.exception())
    if failed.reason in ("invalid", "invalidQuery"):
        return failed
    if failed.reason == "bytesBilledLimitExceeded":
        return CloudRefused(
            subject,
            f"BigQuery would bill more than it may: {failed}",
            "Something makes the statement read more than the month; or ask for fewer months at once.",
        )
    return meaning(failed.error, subject) or failed


def refused(failed: JobFailed, subject: str) -> TaxiError:
    """A failed job in our words, for whoever has no other answer to it."""
    return CloudRefused(subject, f"BigQuery refuses it: {failed}", "See the job's page in Google's console.")


def _first(error: Any) -> Mapping[str, Any]:
    errors: Sequence[Mapping[str, Any]] = getattr(error, "errors", ())
    return errors[0] if errors else {}
