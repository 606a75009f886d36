"""What an error of Google's clients means: whether to try again, and what to do. Pure, but for the imports.

    with asking(f"bucket {bucket}"):
        client.get_bucket(bucket)

Messages are Google's own; credentials are never part of them.
"""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from taxi_platform.bigquery.roles import advice_for, missing_permissions
from taxi_platform.errors import CloudNotConfigured, CloudNotReady, CloudRefused, CloudUnavailable, TaxiError

LONGEST_MESSAGE = 500  # characters of Google's that are repeated
_REQUEST = re.compile(r"^[A-Z]+ https?://\S+: ")
_EXPECTED = re.compile(r": \('Request failed with status code'.*$", re.DOTALL)
_NO_PROJECT = re.compile(r"unknown project|not found: project|project .{0,80}(not found|does not exist)", re.IGNORECASE)
_UPLOAD_KEY = re.compile(r"(upload_id=)[^&\s'\"]+")  # whoever has it can write the object

_LATER = "Try again later; if it lasts, see https://status.cloud.google.com."
_LOG_IN = "Run `gcloud auth application-default login` again, or make a new key for GCP_CREDS."
_PROJECT = "Check GCP_PROJECT_ID; `gcloud projects list` shows the ids of those that you may use."
_QUOTA = "Wait until the quota is renewed, or have it raised: https://console.cloud.google.com/iam-admin/quotas."


@contextmanager
def asking(subject: str) -> Generator[None]:
    """Turn what Google's clients raise into the platform's failures.

    Args:
        subject: what Google is asked about, e.g. ``bucket trips`` or a file's name.

    Raises:
        CloudRefused: credentials do not count any more, a role or a quota is missing, an API is off, a request is bad.
        CloudNotReady: what is asked about is not there.
        CloudUnavailable: Google does not answer, or asks to come back later.
    """
    try:
        yield
    except Exception as error:
        meant = meaning(error, subject)
        if meant is None:
            raise
        raise meant from error


def meaning(error: Any, subject: str) -> TaxiError | None:
    """The failure that an exception of Google's clients or of their transport stands for; none for any other."""
    import requests
    import urllib3
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.cloud.storage.exceptions import InvalidResponse

    if isinstance(error, api.RetryError):
        return meaning(error.cause, subject) or CloudUnavailable(subject, "Google does not answer", _LATER)
    if isinstance(error, InvalidResponse):
        return meaning(api.from_http_response(cast("Any", error).response), subject)
    if isinstance(error, api.GoogleAPICallError):
        return _of_answer(error, subject)
    if isinstance(error, auth.RefreshError):
        return CloudRefused(subject, f"the credentials are not accepted: {_first_argument(error)}", _LOG_IN)
    if isinstance(error, auth.DefaultCredentialsError):
        return CloudNotConfigured(subject, "there are no credentials", "Run `gcloud auth application-default login`.")
    unreachable = (auth.TransportError, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError)
    if isinstance(error, unreachable):
        return CloudUnavailable(subject, f"Google cannot be reached: {_shortened(str(error))}", _LATER)
    return None


def names_a_project(message: str) -> bool:
    """Whether what Google does not know is the project itself."""
    return bool(_NO_PROJECT.search(message))


def _of_answer(error: Any, subject: str) -> TaxiError:
    status = int(error.code or 0)
    said, reason = _told(error)
    if status in (408, 429) or status >= 500 or reason in ("rateLimitExceeded", "jobRateLimitExceeded", "backendError"):
        return CloudUnavailable(subject, f"Google answers {status}: {said}", _LATER)
    if status == 401:
        return CloudRefused(subject, f"the credentials are not accepted: {said}", _LOG_IN)
    if names_a_project(said):
        return CloudNotReady(subject, f"there is no such project: {said}", _PROJECT)
    if status == 404:
        return CloudNotReady(subject, f"it is not there: {said}", "The job gcp_setup makes bucket and dataset.")
    if status == 403:
        return _forbidden(subject, said, reason)
    return CloudRefused(subject, f"Google refuses it: {said}", "")


def _forbidden(subject: str, said: str, reason: str) -> TaxiError:
    if reason == "quotaExceeded":
        return CloudRefused(subject, f"a quota is used up: {said}", _QUOTA)
    if reason in ("accessNotConfigured", "SERVICE_DISABLED"):
        return CloudRefused(
            subject, said, "Run `gcloud services enable storage.googleapis.com bigquery.googleapis.com`."
        )
    if reason in ("billingNotEnabled", "accountDisabled"):
        return CloudRefused(subject, f"billing is off: {said}", "Link the project to a billing account.")
    permissions = missing_permissions(said)
    return CloudRefused(subject, f"the account may not do this: {said}", advice_for(permissions))


def _told(error: Any) -> tuple[str, str]:
    """What Google says, and its own word for it, e.g. ``rateLimitExceeded``; empty when it has none."""
    message = _REQUEST.sub("", error.message or "")
    details: list[str | None] = [error.reason, *(entry.get("reason") for entry in error.errors)]
    if message.startswith("{"):  # of an upload, the client repeats the whole answer, and adds what it expected
        try:
            answer: Any = json.JSONDecoder().raw_decode(message)[0]["error"]
            message = answer["message"]
            details += [entry["reason"] for entry in answer["errors"]]
        except (ValueError, LookupError, TypeError):
            pass
    return _shortened(_EXPECTED.sub("", message)), next(filter(None, details), "")


def _first_argument(error: Exception) -> str:
    return _shortened(str(error.args[0]) if error.args else type(error).__name__)


def _shortened(text: str) -> str:
    """One line without the key of an upload, and without the full stop that follows."""
    line = _UPLOAD_KEY.sub(r"\1…", " ".join(text.split()))
    return (line if len(line) <= LONGEST_MESSAGE else line[:LONGEST_MESSAGE] + " …").rstrip(".")
