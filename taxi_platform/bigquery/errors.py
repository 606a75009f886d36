"""Google's answers as the platform's errors: what an exception or a failed job means.

The one place that decides whether trying again can help. Messages repeat Google's own words; credentials are never
part of them.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from taxi_platform.errors import CloudNotReady, CloudRefused, CloudUnavailable, TaxiError, shortened

_REQUEST = re.compile(r"^[A-Z]+ https?://\S+: ")
_NO_PROJECT = re.compile(r"unknown project|not found: project|project .{0,80}(not found|does not exist)", re.IGNORECASE)
_UPLOAD_KEY = re.compile(r"(upload_id=)[^&\s'\"]+")  # everybody who has it can write the object
_CONFLICT = re.compile(r"could not serialize access|concurrent update", re.IGNORECASE)

# Google's reasons for ending a job that can be started again. The client reports status 500 for reasons it does not
# know, so the status alone does not tell.
_JOB_ENDED_EARLY = (
    "backendError",
    "internalError",
    "jobBackendError",
    "jobInternalError",
    "tableUnavailable",
    "rateLimitExceeded",
    "jobRateLimitExceeded",
)
# Other 403s are about quotas, billing and APIs, and say what to do.
_NO_PERMISSION = ("forbidden", "accessDenied", "IAM_PERMISSION_DENIED", "")

GRANT = "docs/cloud.md lists the roles that the account needs; deploy/google-roles.sh grants them."
_LATER = "Try again later; if it lasts, see https://status.cloud.google.com."
_LOG_IN = "Run `gcloud auth application-default login` again, or make a new key for GCP_CREDS."
_PROJECT = "Check GCP_PROJECT_ID; `gcloud projects list` shows the ids of those that you may use."


class JobEndedEarly(CloudUnavailable):
    """BigQuery ended a job for a temporary reason; it can be started again."""


class JobFailed(CloudRefused):
    """BigQuery ended a job because of its data or its statement."""


@contextmanager
def google_errors(subject: str) -> Generator[None]:
    """Turn what Google's clients raise inside the block about ``subject`` into the platform's errors.

    Raises:
        CloudRefused: the credentials have expired, a role or a quota is missing, an API is off, or a request is bad.
        CloudNotReady: the requested thing does not exist.
        CloudUnavailable: Google does not answer, or asks to come back later.
    """
    try:
        yield
    except Exception as error:
        ours = translate(error, subject)
        if ours is None:
            raise
        raise ours from error


def translate(error: Any, subject: str) -> TaxiError | None:
    """Return our error for an exception of Google's clients or their transport; None for any other exception."""
    import requests
    import urllib3
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.cloud.storage.exceptions import InvalidResponse

    if isinstance(error, api.RetryError):
        return translate(error.cause, subject) or CloudUnavailable(subject, "Google does not answer", _LATER)
    if isinstance(error, (InvalidResponse, api.GoogleAPICallError)):
        # In the message of its exception, the storage client repeats the whole answer.
        answer = cast("Any", error)
        answer = answer if answer.response is None else cast("Any", api.from_http_response(answer.response))
        reasons: list[Any] = [answer.reason, *(entry.get("reason") for entry in answer.errors)]
        message = _shorten(_REQUEST.sub("", answer.message or ""))
        reason = next((each for each in reasons if each), "")
        return _meaning(int(answer.code or 0), reason, message, subject)
    if isinstance(error, auth.RefreshError):
        reason = _shorten(str(error.args[0])) if error.args else "they cannot be renewed"
        return CloudRefused(subject, f"the credentials are not accepted: {reason}", _LOG_IN)
    unreachable = (auth.TransportError, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError)
    if isinstance(error, unreachable):
        return CloudUnavailable(subject, f"Google cannot be reached: {_shorten(str(error))}", _LATER)
    return None


def is_transient(error: BaseException) -> bool:
    """Return whether a request that ended with this exception is worth sending again."""
    return isinstance(translate(error, ""), CloudUnavailable)


def names_a_project(message: str) -> bool:
    """Return whether it is the project itself that Google does not know."""
    return bool(_NO_PROJECT.search(message))


def job_error(job: Any, subject: str) -> TaxiError | None:
    """Return why a job of BigQuery failed; None when it succeeded."""
    if job.error_result is None:
        return None
    reason = str(job.error_result.get("reason", ""))
    errors: list[Any] = [job.error_result, *(job.errors or [])]  # of which the first sums up the others
    message = shortened("; ".join(dict.fromkeys(_shorten(str(error.get("message", ""))) for error in errors)))
    if reason in _JOB_ENDED_EARLY or _CONFLICT.search(message):
        return JobEndedEarly(subject, f"BigQuery has ended job {job.job_id} early: {message}", "Run it again.")
    if reason == "bytesBilledLimitExceeded":
        advice = "Something makes the statement read more than the month; or ask for fewer months at once."
        return CloudRefused(subject, f"BigQuery would bill more than it may: {message}", advice)
    failed = JobFailed(subject, f"BigQuery refuses it: {message}", "See the job's page in Google's console.")
    if reason in ("invalid", "invalidQuery"):
        return failed
    meaning = _meaning(job.exception().code, reason, message, subject)
    return failed if meaning.transient else meaning


def _meaning(status: int, reason: str, message: str, subject: str) -> TaxiError:
    """Return our error for Google's status, its one-word reason (empty if it gives none) and its message."""
    if status in (408, 429) or status >= 500 or reason in ("rateLimitExceeded", "jobRateLimitExceeded", "backendError"):
        return CloudUnavailable(subject, f"Google answers {status}: {message}", _LATER)
    if status == 401:
        return CloudRefused(subject, f"the credentials are not accepted: {message}", _LOG_IN)
    if names_a_project(message):
        return CloudNotReady(subject, f"there is no such project: {message}", _PROJECT)
    if status == 404:
        return CloudNotReady(subject, f"it does not exist: {message}", "The job gcp_setup makes bucket and dataset.")
    if status == 403 and reason in _NO_PERMISSION:
        return CloudRefused(subject, f"the account may not do this: {message}", GRANT)
    if reason == "invalidQuery":  # BigQuery refuses some statements before there is a job
        return JobFailed(subject, f"BigQuery refuses it: {message}", "")
    return CloudRefused(subject, f"Google refuses it: {message}", "")


def _shorten(text: str) -> str:
    """Return the text as one line, without an upload's key and without the final full stop."""
    return shortened(_UPLOAD_KEY.sub(r"\1…", text)).rstrip(".")
