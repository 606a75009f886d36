"""Credentials: where they are found, what they are used for, and the errors if they are missing, wrong or expired."""

import base64
import json
import traceback
from pathlib import Path

import pytest
from google.auth import impersonated_credentials
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import service_account

from taxi_platform.bigquery import clients
from taxi_platform.bigquery.clients import Cloud, credentials_of, read_secret, secret_version
from taxi_platform.bigquery.errors import google_errors
from taxi_platform.bigquery.setup import problems
from taxi_platform.errors import (
    CloudNotConfigured,
    CloudNotReady,
    CloudRefused,
    CloudUnavailable,
    InvalidSetting,
    TaxiError,
)
from taxi_platform.models.targets import open_bigquery
from taxi_platform.retries import RetryPolicy
from taxi_platform_tests.support.google_keys import secrets_of, service_account_key
from taxi_platform_tests.support.google_server import Answer, GoogleServer

VERSION = "projects/trips-123/secrets/key/versions/latest"


@pytest.fixture
def key(nothing: GoogleServer) -> str:
    """Return the key of a service account, which gets its tokens from the simulated Google."""
    return service_account_key(nothing.url)


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide this machine's own credentials from Google's clients."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def authorization_sent(google: GoogleServer, credentials: Credentials) -> str:
    """Return the Authorization header of a request with these credentials."""
    with google_errors("a bucket"):
        AuthorizedSession(credentials).get(f"{google.url}/storage/v1/b/trips-123-lake")
    return google.asked("GET /storage/v1/b/")[-1].headers["authorization"]


@pytest.mark.parametrize("spelled", ["plain", "base64", "base64 in lines"])
def test_a_key_may_be_json_or_base64_of_json(spelled: str, key: str, nothing: GoogleServer) -> None:
    encoded = base64.b64encode(key.encode()).decode()
    lines = "\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))
    found = credentials_of({"plain": f"\n {key}", "base64": encoded, "base64 in lines": lines}[spelled])
    assert isinstance(found, service_account.Credentials)
    assert found.service_account_email == "robot@trips-123.iam.gserviceaccount.com"
    assert authorization_sent(nothing, found) == "Bearer token-of-the-test"


def test_a_persons_log_in_is_used(nothing: GoogleServer) -> None:
    person = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    assert type(credentials_of(json.dumps(person))).__name__ == "Credentials"


def test_without_a_key_the_application_default_credentials_are_used(
    key: str, nothing: GoogleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.json"
    file.write_text(key)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert authorization_sent(nothing, credentials_of("")) == "Bearer token-of-the-test"


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (None, "Your default credentials were not found"),
        ("absent.json", "absent.json was not found"),
        ("garbage.json", "is not a valid json file"),
        ("other.json", "does not have a valid type"),
    ],
)
def test_without_credentials_the_message_says_how_to_get_some(
    file: str | None, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "garbage.json").write_text("garbage")
    (tmp_path / "other.json").write_text('{"type": "other"}')
    if file:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / file))
    cloud = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp")
    (problem,) = problems(cloud)
    assert isinstance(problem, CloudNotConfigured)
    assert what in problem.what
    assert problem.advice.startswith(
        "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda key: key[:-40], "it is neither JSON nor JSON in base64"),
        (lambda key: base64.b64encode(b"\xff\xfe not text").decode(), "it is neither JSON nor JSON in base64"),
        (lambda key: base64.b64encode(b"[1, 2]").decode(), "it is neither JSON nor JSON in base64"),
        (lambda key: "{}", "it is not the key of a service account"),
        (lambda key: key.replace("service_account", "external_account"), "it is not the key of a service account"),
        (lambda key: key.replace('"client_email"', '"mail"'), "the key is incomplete"),
        (lambda key: key.replace("BEGIN PRIVATE", "BEGIN"), "the key is incomplete or damaged"),
    ],
)
def test_an_invalid_key_is_refused_and_never_part_of_the_message(change, what: str, key: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        credentials_of(change(key))
    assert str(caught.value).startswith(f"GCP_CREDS: {what}")
    printed = "".join(traceback.format_exception(caught.value))
    assert not any(secret in printed for secret in secrets_of(key))


def test_the_message_for_an_expired_key_says_to_make_a_new_one(key: str, nothing: GoogleServer) -> None:
    nothing.script("POST /token", *[Answer(400, "Invalid JWT Signature.", "invalid_grant")] * 9)
    cloud = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp", creds=key)
    for problem in problems(cloud):
        assert isinstance(problem, CloudRefused)
        assert "the credentials are not accepted: " in problem.what
        assert "Invalid JWT Signature" in problem.what
        assert problem.advice.endswith("make a new key for GCP_CREDS.")
    assert {asked.path for asked in nothing.requests} == {"/token"}


def test_emulators_get_no_credentials(google: GoogleServer) -> None:
    cloud = Cloud("trips-123", "EU", "b-1", "d", creds="garbage", storage_host=google.url, bigquery_host=google.url)
    assert len(list(problems(cloud))) == 2
    assert len(google.requests) == 2
    assert all("authorization" not in asked.headers for asked in google.requests)


def test_the_address_of_an_emulator_may_lack_its_scheme_and_may_be_empty(
    monkeypatch: pytest.MonkeyPatch, google: GoogleServer
) -> None:
    bare = google.url.removeprefix("http://")
    cloud = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp", storage_host=bare, bigquery_host=bare)
    assert list(problems(cloud)) == []
    for name in ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"):
        monkeypatch.setenv(name, "")  # as Compose passes a variable that is not set
    real = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp")
    object.__setattr__(real, "credentials", AnonymousCredentials())
    assert real.storage._connection.API_BASE_URL == "https://storage.googleapis.com"
    assert real.bigquery._connection.API_BASE_URL == "https://bigquery.googleapis.com"


# Secret Manager


@pytest.mark.parametrize(
    ("address", "version"),
    [
        ("sm://trips-123/key", VERSION),
        ("sm://trips-123/key/latest", VERSION),
        ("sm://example.com:trips/my_key-1/7", "projects/example.com:trips/secrets/my_key-1/versions/7"),
    ],
)
def test_the_address_of_a_secret_names_its_version(address: str, version: str) -> None:
    assert secret_version(address) == version


@pytest.mark.parametrize("address", ["sm://", "sm://trips-123", "sm://trips-123/", "sm://a/b/newest", "sm://a/b/7/8"])
def test_other_addresses_are_refused_before_any_request(address: str) -> None:
    with pytest.raises(InvalidSetting, match="no secret has such an address"):
        credentials_of(address)


def test_a_key_is_read_from_its_secret(
    key: str, nothing: GoogleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.json"
    file.write_text(key)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.setattr(clients, "SECRET_MANAGER", nothing.url)
    nothing.secrets[VERSION] = key.replace("robot@", "loader@")
    found = credentials_of("sm://trips-123/key")
    assert isinstance(found, service_account.Credentials)
    assert found.service_account_email == "loader@trips-123.iam.gserviceaccount.com"
    (asked,) = nothing.asked("GET /v1/projects/")
    assert asked.headers["authorization"] == "Bearer token-of-the-test"


@pytest.mark.parametrize(
    ("answers", "kind", "message"),
    [
        ([], CloudNotReady, "not found or has no versions"),
        ([Answer(403, "Permission 'secretmanager.versions.access' denied")], CloudRefused, "secretAccessor"),
        ([Answer(503)] * 99, CloudUnavailable, "Google"),
    ],
)
def test_the_message_says_why_a_secret_cannot_be_read(
    answers: list[Answer], kind: type[TaxiError], message: str, nothing: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "SECRET_MANAGER", nothing.url)
    nothing.script("GET /v1/", *answers)
    with pytest.raises(kind, match=message) as caught:
        read_secret(VERSION, AnonymousCredentials(), RetryPolicy(first_wait=0.01, longest_wait=0.01, total=0.2))
    assert caught.value.subject == VERSION


def test_the_credentials_may_act_as_another_service_account(key: str) -> None:
    cloud = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp", creds=key, impersonated="loader@trips.example")
    found = cloud.credentials
    assert isinstance(found, impersonated_credentials.Credentials)
    assert found.service_account_email == "loader@trips.example"


# dbt


def test_dbt_gets_credentials_that_renew_themselves(key: str) -> None:
    cloud = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp", creds=key, impersonated="loader@trips.example")
    with open_bigquery(cloud, prepared=False) as target:
        file = Path(target.variables["GOOGLE_APPLICATION_CREDENTIALS"])
        assert json.loads(file.read_text()) == json.loads(key)
        assert file.stat().st_mode & 0o077 == 0
        assert target.variables["TAXI_DBT_METHOD"] == "oauth"
        assert target.variables["TAXI_DBT_IMPERSONATE"] == "loader@trips.example"
        assert target.variables["DBT_ENV_SECRET_TAXI_TOKEN"] == ""
    assert not file.exists()


def test_dbt_finds_the_application_default_credentials_by_itself() -> None:
    cloud = Cloud("trips-123", "EU", "trips-123-lake", "zoomcamp", bytes_billed=7)
    with open_bigquery(cloud, prepared=False) as target:
        assert "GOOGLE_APPLICATION_CREDENTIALS" not in target.variables
        assert (target.variables["TAXI_DBT_METHOD"], target.variables["TAXI_DBT_BYTES_BILLED"]) == ("oauth", "7")


def test_dbt_sends_no_credentials_to_the_emulator(google: GoogleServer, key: str) -> None:
    cloud = Cloud("trips-123", "EU", "b-1", "d", creds=key, storage_host=google.url, bigquery_host=google.url)
    with open_bigquery(cloud, prepared=False) as target:
        assert "GOOGLE_APPLICATION_CREDENTIALS" not in target.variables
        assert target.variables["TAXI_DBT_METHOD"] == "oauth-secrets"
