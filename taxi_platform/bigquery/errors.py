"""Google's answers as the platform's errors: what an exception or a failed job means, and which role is missing.

The one place that decides whether trying again can help. Messages repeat Google's own words; credentials are never
part of them.
"""

import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from taxi_platform.errors import CloudNotConfigured, CloudNotReady, CloudRefused, CloudUnavailable, TaxiError, shortened

SHOWN_ERRORS = 5  # of one job
_REQUEST = re.compile(r"^[A-Z]+ https?://\S+: ")
_EXPECTED = re.compile(r": \('Request failed with status code'.*$", re.DOTALL)
_NO_PROJECT = re.compile(r"unknown project|not found: project|project .{0,80}(not found|does not exist)", re.IGNORECASE)
_UPLOAD_KEY = re.compile(r"(upload_id=)[^&\s'\"]+")  # everybody who has it can write the object
_CONFLICT = re.compile(r"could not serialize access|concurrent update", re.IGNORECASE)
_PERMISSION = re.compile(r"\b(?:storage|bigquery|secretmanager)\.[a-zA-Z]+\.[a-zA-Z]+\b", re.ASCII)

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

# The first prefix that matches decides. Several roles contain each permission; these are the ones that docs/cloud.md
# asks for.
_ROLES = (
    ("storage.objects.", "roles/storage.objectUser"),
    ("storage.buckets.get", "roles/storage.legacyBucketReader"),
    ("storage.", "roles/storage.admin"),
    ("bigquery.jobs.create", "roles/bigquery.jobUser"),
    ("bigquery.readsessions.", "roles/bigquery.readSessionUser"),
    ("bigquery.datasets.create", "roles/bigquery.user"),
    ("bigquery.", "roles/bigquery.dataEditor"),
    ("secretmanager.versions.access", "roles/secretmanager.secretAccessor"),
    ("secretmanager.", "roles/secretmanager.viewer"),
)

_LATER = "Try again later; if it lasts, see https://status.cloud.google.com."
_LOG_IN = "Run `gcloud auth application-default login` again, or make a new key for GCP_CREDS."
_PROJECT = "Check GCP_PROJECT_ID; `gcloud projects list` shows the ids of those that you may use."

_QUOTA = "Wait until the quota is renewed, or have it raised: https://console.cloud.google.com/iam-admin/quotas."
_ENABLE = "Run `gcloud services enable storage.googleapis.com bigquery.googleapis.com`."
_REASONS = {  # for a 403 that is not about a role: what it means, and what to do
    "quotaExceeded": ("a quota is used up: ", _QUOTA),
    "accessNotConfigured": ("", _ENABLE),
    "SERVICE_DISABLED": ("", _ENABLE),
    "billingNotEnabled": ("billing is off: ", "Link the project to a billing account."),
    "accountDisabled": ("billing is off: ", "Link the project to a billing account."),
}


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
    if isinstance(error, InvalidResponse):
        return translate(api.from_http_response(cast("Any", error).response), subject)
    if isinstance(error, api.GoogleAPICallError):
        return _translate_answer(error, subject)
    if isinstance(error, auth.RefreshError):
        reason = _shorten(str(error.args[0])) if error.args else "they cannot be renewed"
        return CloudRefused(subject, f"the credentials are not accepted: {reason}", _LOG_IN)
    if isinstance(error, auth.DefaultCredentialsError):
        return CloudNotConfigured(subject, "there are no credentials", "Run `gcloud auth application-default login`.")
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
    from google.api_core import exceptions

    message, reason = _job_message(job), str(job.error_result.get("reason", ""))
    if reason in _JOB_ENDED_EARLY or _CONFLICT.search(message):
        return JobEndedEarly(subject, f"BigQuery has ended job {job.job_id} early: {message}", "Run it again.")
    if reason == "bytesBilledLimitExceeded":
        advice = "Ask for fewer months at once, or raise GCP_MAX_GIB_BILLED."
        return CloudRefused(subject, f"BigQuery would bill more than it may: {message}", advice)
    failed = JobFailed(subject, f"BigQuery refuses it: {message}", "See the job's page in Google's console.")
    if reason in ("invalid", "invalidQuery"):
        return failed
    # The client's own exception repeats the message, so it is made again from the status.
    status: int = job.exception().code
    made = cast("Any", exceptions).from_http_status(status, message, errors=[job.error_result])
    meaning = translate(made, subject)
    return failed if meaning is None or meaning.transient else meaning


def advice_for(permissions: Sequence[str]) -> str:
    """Return which roles to ask the project's administrator for."""
    roles = [next((role for prefix, role in _ROLES if name.startswith(prefix)), None) for name in permissions]
    known = dict.fromkeys(filter(None, roles))
    if not known:
        return "See docs/cloud.md for the roles that the account needs."
    return f"Have the account granted {' and '.join(known)}; see docs/cloud.md."


def _translate_answer(error: Any, subject: str) -> TaxiError:
    status = int(error.code or 0)
    message, reason = _message_and_reason(error)
    if status in (408, 429) or status >= 500 or reason in ("rateLimitExceeded", "jobRateLimitExceeded", "backendError"):
        return CloudUnavailable(subject, f"Google answers {status}: {message}", _LATER)
    if status == 401:
        return CloudRefused(subject, f"the credentials are not accepted: {message}", _LOG_IN)
    if names_a_project(message):
        return CloudNotReady(subject, f"there is no such project: {message}", _PROJECT)
    if status == 404:
        return CloudNotReady(subject, f"it does not exist: {message}", "The job gcp_setup makes bucket and dataset.")
    if status == 403 and reason in _REASONS:
        what, advice = _REASONS[reason]
        return CloudRefused(subject, f"{what}{message}", advice)
    if status == 403:
        advice = advice_for(_PERMISSION.findall(message))
        return CloudRefused(subject, f"the account may not do this: {message}", advice)
    if reason == "invalidQuery":  # BigQuery refuses some statements before there is a job
        return JobFailed(subject, f"BigQuery refuses it: {message}", "")
    return CloudRefused(subject, f"Google refuses it: {message}", "")


def _message_and_reason(error: Any) -> tuple[str, str]:
    """Return Google's message and its one-word reason, e.g. ``rateLimitExceeded``; "" when it gives none."""
    message = _REQUEST.sub("", error.message or "")
    reasons: list[str | None] = [error.reason, *(entry.get("reason") for entry in error.errors)]
    if message.startswith("{"):  # for an upload, the client repeats the whole answer and adds what it expected
        try:
            answer: Any = json.JSONDecoder().raw_decode(message)[0]["error"]
            message = answer["message"]
            reasons += [entry["reason"] for entry in answer["errors"]]
        except (ValueError, LookupError, TypeError):
            pass
    return _shorten(_EXPECTED.sub("", message)), next(filter(None, reasons), "")


def _job_message(job: Any) -> str:
    """Return the messages of a job's errors, each once, with the object they are about. The first sums up the rest."""
    errors: list[Mapping[str, Any]] = [job.error_result, *(job.errors or [])]
    messages: dict[str, None] = {}
    for error in errors:
        text, place = " ".join(str(error.get("message", "")).split()).rstrip("."), str(error.get("location") or "")
        messages[f"{text} ({place})" if "://" in place and place not in text else text] = None
    more = len(messages) - SHOWN_ERRORS
    return "; ".join([*list(messages)[:SHOWN_ERRORS], *([f"and {more} more"] if more > 0 else [])])


def _shorten(text: str) -> str:
    """Return the text as one line, without an upload's key and without the final full stop."""
    return shortened(_UPLOAD_KEY.sub(r"\1…", text)).rstrip(".")
