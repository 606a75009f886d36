"""How errors of Google's clients are translated: whether to retry, which error it is, and which role is missing."""

import pytest
import requests
import urllib3
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from taxi_platform.bigquery.errors import google_errors, translate
from taxi_platform.errors import (
    LONGEST_MESSAGE,
    CloudNotConfigured,
    CloudNotReady,
    CloudRefused,
    CloudUnavailable,
    NotPublished,
    TaxiError,
)

UPLOAD = "POST https://storage.googleapis.com/upload/storage/v1/b/trips/o?upload_id=KEY-OF-IT&uploadType=resumable"


def refusal(message: str, reason: str = "forbidden") -> api.Forbidden:
    return api.Forbidden(message, errors=[{"reason": reason, "message": message}])


def translated(error: BaseException) -> TaxiError:
    failure = translate(error, "bucket trips")
    assert failure is not None
    assert failure.subject == "bucket trips"
    return failure


@pytest.mark.parametrize(
    "error",
    [
        api.TooManyRequests("slow down"),
        api.InternalServerError("oops"),
        api.BadGateway("oops"),
        api.ServiceUnavailable("oops"),
        api.GatewayTimeout("oops"),
        api.from_http_status(408, "too slow"),
        refusal("Exceeded rate limits", "rateLimitExceeded"),
        requests.ConnectionError("refused"),
        requests.Timeout("60 s"),
        requests.exceptions.ChunkedEncodingError("cut"),
        urllib3.exceptions.ProtocolError("cut"),
        ConnectionResetError("reset"),
        auth.TransportError("no way to the tokens"),
        api.RetryError("3 minutes", api.ServiceUnavailable("oops")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_that_a_retry_may_solve_are_transient(error: Exception) -> None:
    failure = translated(error)
    assert type(failure) is CloudUnavailable
    assert failure.transient


@pytest.mark.parametrize(
    ("error", "kind", "what", "advice"),
    [
        (
            api.Unauthorized("Invalid Credentials"),
            CloudRefused,
            "the credentials are not accepted",
            "application-default",
        ),
        (
            auth.RefreshError("invalid_grant: Token has been expired or revoked.", {"error": "invalid_grant"}),
            CloudRefused,
            "the credentials are not accepted: invalid_grant: Token has been expired or revoked",
            "application-default login",
        ),
        (auth.DefaultCredentialsError("none"), CloudNotConfigured, "there are no credentials", "login"),
        (api.NotFound("no such bucket"), CloudNotReady, "it does not exist: no such bucket", "gcp_setup"),
        (api.BadRequest("Unknown project id: x"), CloudNotReady, "there is no such project", "GCP_PROJECT_ID"),
        (api.NotFound("Not found: Project x"), CloudNotReady, "there is no such project", "GCP_PROJECT_ID"),
        (api.BadRequest("Invalid argument."), CloudRefused, "Google refuses it: Invalid argument", ""),
        (refusal("Quota exceeded: load jobs", "quotaExceeded"), CloudRefused, "a quota is used up", "quotas"),
        (refusal("BigQuery API has not been used", "accessNotConfigured"), CloudRefused, "not been used", "enable"),
        (refusal("billing is off", "billingNotEnabled"), CloudRefused, "billing is off", "billing account"),
        (
            refusal("a@b does not have storage.objects.create access. Permission 'storage.objects.create' denied"),
            CloudRefused,
            "the account may not do this",
            "Have the account granted roles/storage.objectUser; see docs/cloud.md.",
        ),
        (
            refusal("User does not have bigquery.jobs.create permission in project trips."),
            CloudRefused,
            "bigquery.jobs.create",
            "roles/bigquery.jobUser",
        ),
        (
            refusal("Permission bigquery.tables.create denied on dataset (or it may not exist)."),
            CloudRefused,
            "bigquery.tables.create",
            "roles/bigquery.dataEditor",
        ),
        (refusal("Permission 'storage.buckets.create' denied"), CloudRefused, "", "roles/storage.admin"),
        (refusal("Permission bigquery.datasets.create denied"), CloudRefused, "", "roles/bigquery.user"),
        (
            refusal("Permission 'secretmanager.versions.access' denied"),
            CloudRefused,
            "",
            "roles/secretmanager.secretAccessor",
        ),
        (refusal("VPC says no"), CloudRefused, "VPC says no", "See docs/cloud.md for the roles"),
    ],
)
def test_permanent_errors_say_what_to_do(error: Exception, kind: type[TaxiError], what: str, advice: str) -> None:
    failure = translated(error)
    assert type(failure) is kind
    assert not failure.transient
    assert what in failure.what
    assert advice in failure.advice


def test_the_request_and_the_key_of_an_upload_are_not_repeated() -> None:
    for error in (api.ServiceUnavailable(f"{UPLOAD}: busy"), requests.ConnectionError(f"{UPLOAD} was cut")):
        assert "KEY-OF-IT" not in str(translated(error))
    assert translated(api.ServiceUnavailable(f"{UPLOAD}: busy")).what == "Google answers 503: busy"


def test_a_long_message_is_shortened_to_one_line() -> None:
    what_failed = translated(api.ServiceUnavailable("very\nlong " * 1000)).what
    assert "\n" not in what_failed
    assert len(what_failed) < LONGEST_MESSAGE + 50


def test_an_error_of_googles_becomes_ours_and_keeps_its_cause() -> None:
    cause = api.ServiceUnavailable("busy")
    with (
        pytest.raises(CloudUnavailable, match=r"^bucket trips: Google answers 503: busy\.") as caught,
        google_errors("bucket trips"),
    ):
        raise cause
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), NotPublished("a", "b")])
def test_other_errors_are_not_changed(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, google_errors("bucket trips"):
        raise error
    assert caught.value is error
