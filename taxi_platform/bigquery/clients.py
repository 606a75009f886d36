"""The project in Google Cloud that the settings name: its credentials, its official clients, how they retry.

Nothing is sent to Google and no credentials are looked up before a client is used. What the clients are used for does
not belong here.
"""

import base64
import binascii
import json
import logging
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.errors import google_errors, is_transient, translate
from taxi_platform.bigquery.names import problems_of_names
from taxi_platform.errors import CloudNotConfigured, InvalidSetting
from taxi_platform.retries import GOOGLE, RetryPolicy
from taxi_platform.settings import CloudSettings

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials
    from google.cloud import bigquery, storage

logger = logging.getLogger(__name__)

TIMEOUTS = (10.0, 60.0)  # seconds for a connection, and of silence afterwards
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
SECRET_MANAGER = "https://secretmanager.googleapis.com"  # noqa: S105
_SECRET_ADDRESS = re.compile(r"sm://([a-z0-9.:-]+)/([A-Za-z0-9_-]{1,255})(?:/(latest|\d+))?", re.ASCII)
_VALID = (
    "It may be a service account's key as JSON, the same in base64 (`base64 -w0 key.json`), "
    "or sm://PROJECT/SECRET; unset, application-default credentials are used."
)


@dataclass(frozen=True)
class Cloud:
    """One project, with the bucket and the dataset that the platform uses there.

    Attributes:
        location: where bucket and dataset are, e.g. ``europe-west2`` or ``EU``.
        dataset: the dataset's name, without the project.
        creds: as ``GCP_CREDS``; empty for application-default credentials.
        storage_host: an emulator of Cloud Storage, e.g. ``http://127.0.0.1:9023``; it gets no credentials.
        bigquery_host: an emulator of BigQuery, likewise.
        impersonated: the service account that the credentials act as, by its e-mail address; empty for themselves.
        bytes_billed: what one statement may be billed for at most. The largest month needs a tenth of the default.
        timeouts: the seconds that the clients wait for a connection, and for each part of an answer.
    """

    project: str
    location: str
    bucket: str
    dataset: str
    creds: str = field(default="", repr=False)
    storage_host: str = ""
    bigquery_host: str = ""
    retries: RetryPolicy = GOOGLE
    timeouts: tuple[float, float] = TIMEOUTS
    bytes_billed: int = 10 * 1024**3
    impersonated: str = ""

    @cached_property
    def credentials(self) -> "Credentials":
        """The credentials that Google is shown; ``credentials_of`` says what may be wrong with them."""
        return credentials_of(self.creds, self.impersonated)

    @cached_property
    def storage(self) -> "storage.Client":
        """The client for Cloud Storage."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        if self.storage_host:
            options = {"api_endpoint": _url(self.storage_host)}
            return storage.Client(self.project, AnonymousCredentials(), client_options=options)
        return storage.Client(self.project, self.credentials)

    @cached_property
    def bigquery(self) -> "bigquery.Client":
        """The client for BigQuery, which works in the location of the dataset."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        if self.bigquery_host:
            options = {"api_endpoint": _url(self.bigquery_host)}
            return bigquery.Client(self.project, AnonymousCredentials(), location=self.location, client_options=options)
        return bigquery.Client(self.project, self.credentials, location=self.location)

    def storage_options(self, subject: str) -> dict[str, Any]:
        """Return ``retry`` and ``timeout`` for a call of the storage client."""
        return {"retry": google_retry(self.retries, subject), "timeout": self.timeouts}

    def bigquery_options(self, subject: str) -> dict[str, Any]:
        """Return ``retry`` and ``timeout`` for a call of the BigQuery client."""
        return {"retry": google_retry(self.retries, subject), "timeout": self.timeouts[1]}


def google_retry(policy: RetryPolicy, subject: str) -> "Retry":
    """Return a policy as a client's ``retry`` takes it; each attempt that fails is logged."""
    from google.api_core.retry import Retry

    def log(error: Exception) -> None:
        ours = translate(error, subject)
        logger.warning("%s: %s; trying again", subject, ours.what if ours else error)

    return Retry(
        predicate=is_transient,
        initial=policy.first_wait,
        maximum=policy.longest_wait,
        multiplier=policy.factor,
        timeout=policy.total if policy.attempts != 1 else 0.0,
        on_error=log,
    )


def cloud_of(settings: CloudSettings | None) -> Cloud:
    """Return the cloud that the settings name, without a request.

    Raises:
        CloudNotConfigured: settings are missing; the message says which.
        InvalidSetting: Google does not accept a name.
    """
    chosen = settings or CloudSettings.model_construct()
    names = (chosen.project_id, chosen.location, chosen.bucket_name, chosen.dataset)
    named = dict(zip(("GCP_PROJECT_ID", "GCP_LOCATION", "GCP_BUCKET_NAME", "GCP_DATASET"), names, strict=True))
    missing = [name for name, value in named.items() if not value]
    if missing:
        present = [name for name in named if name not in missing]
        what = f"not set, while {', '.join(present)} {'is' if len(present) == 1 else 'are'}" if present else "not set"
        advice = "Google Cloud's assets and jobs need all four; see .env.example and docs/cloud.md."
        raise CloudNotConfigured(", ".join(missing), what, advice)
    for problem in problems_of_names(*names):
        raise problem
    creds = chosen.creds.get_secret_value() if chosen.creds else ""
    billed = int(chosen.max_gib_billed * 1024**3)
    return Cloud(
        *names,
        creds,
        chosen.storage_host,
        chosen.bigquery_host,
        bytes_billed=billed,
        impersonated=chosen.impersonate_service_account,
    )


def credentials_of(creds: str, impersonated: str = "") -> "Credentials":
    """Return the credentials that ``GCP_CREDS`` holds or leads to; when it is empty, the application-default ones.

    With ``impersonated``, they are those of another service account, which these may act as.

    Nothing of the content of ``GCP_CREDS`` is ever part of a message.

    Raises:
        InvalidSetting: it holds something else.
        CloudNotConfigured: it is empty, and this machine has no application-default credentials.
        CloudRefused: it is the address of a secret that cannot be read.
        CloudUnavailable: Google does not answer.
    """
    from google.auth import impersonated_credentials

    key = key_of(creds)
    own = application_default() if key is None else _from_key(key)
    return impersonated_credentials.Credentials(own, impersonated, SCOPES) if impersonated else own


def key_of(creds: str) -> dict[str, Any] | None:
    """Return the key that ``GCP_CREDS`` holds or leads to, or None; see ``credentials_of``."""
    text = creds.strip()
    if text.startswith("sm://"):
        text = read_secret(secret_version(text), application_default())
    return _parse(text) if text else None


def application_default() -> "Credentials":
    """Return what Google finds: ``GOOGLE_APPLICATION_CREDENTIALS``, gcloud's log-in, or the machine's own account."""
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        return cast("Credentials", google.auth.default(scopes=SCOPES)[0])
    except (GoogleAuthError, OSError, ValueError) as error:
        raise CloudNotConfigured(
            "Google Cloud's credentials",
            f"none were found ({str(error).partition('. ')[0].rstrip('.')})",
            "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file, "
            "or GCP_CREDS to a key.",
        ) from None


def secret_version(address: str) -> str:
    """Return Google's name of the secret at ``sm://PROJECT/SECRET`` (its latest version) or ``…/SECRET/VERSION``."""
    match = _SECRET_ADDRESS.fullmatch(address)
    if match is None:
        raise InvalidSetting(
            f"GCP_CREDS={address}", "no secret has such an address", "Write sm://PROJECT/SECRET or sm://…/VERSION."
        )
    project, secret, version = match.groups()
    return f"projects/{project}/secrets/{secret}/versions/{version or 'latest'}"


def read_secret(version: str, credentials: "Credentials", policy: RetryPolicy = GOOGLE) -> str:
    """Return the text of a secret in Secret Manager, whose version ``secret_version`` names.

    Raises:
        CloudRefused: the account may not read it.
        CloudNotReady: there is no such secret.
        CloudUnavailable: Google does not answer.
    """
    from google.cloud import secretmanager_v1 as manager
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport as Rest,
    )

    with google_errors(version):
        # REST, as the other two clients use: one proxy and one certificate store for all.
        client = manager.SecretManagerServiceClient(transport=Rest(credentials=credentials, host=SECRET_MANAGER))
        answer = client.access_secret_version(name=version, retry=google_retry(policy, version), timeout=TIMEOUTS[1])
        return answer.payload.data.decode()


def _parse(text: str) -> dict[str, Any]:
    """Return the key, from JSON or from JSON in base64, with or without line ends."""
    try:
        if not text.lstrip().startswith("{"):
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        key = json.loads(text)
    except (binascii.Error, ValueError):
        raise InvalidSetting("GCP_CREDS", "it is neither JSON nor JSON in base64", _VALID) from None
    if not isinstance(key, dict):
        raise InvalidSetting("GCP_CREDS", "it is JSON, but not a key", _VALID)
    return cast("dict[str, Any]", key)


def _from_key(key: dict[str, Any]) -> "Credentials":
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials, service_account

    kind = key.get("type")
    try:
        if kind == "service_account":
            return service_account.Credentials.from_service_account_info(key, scopes=SCOPES)
        if kind == "authorized_user":
            return credentials.Credentials.from_authorized_user_info(key, scopes=SCOPES)
    except (GoogleAuthError, ValueError, TypeError, AttributeError):
        wanted = ("client_email", "private_key", "token_uri") if kind == "service_account" else ()
        absent = ", ".join(name for name in wanted if not key.get(name))
        what = f"the key lacks {absent}" if absent else "the key is damaged: it cannot be read"
        raise InvalidSetting("GCP_CREDS", what, "Download the key again, and copy the whole of it.") from None
    raise InvalidSetting(
        "GCP_CREDS",
        "it is not the key of a service account",
        "Other credentials, such as those of a workload identity, are named by GOOGLE_APPLICATION_CREDENTIALS.",
    )


def _url(host: str) -> str:
    """Return an emulator's URL; people write it with and without the scheme."""
    return host if "://" in host else f"http://{host}"
