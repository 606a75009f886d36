"""The project in Google Cloud that the settings name: valid names, credentials, the official clients, how they retry.

Nothing is sent to Google and no credentials are looked up before a client is used. What the clients are used for does
not belong here.
"""

import base64
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.errors import google_errors, is_transient, translate
from taxi_platform.errors import CloudNotConfigured, InvalidSetting
from taxi_platform.retries import GOOGLE, RetryPolicy
from taxi_platform.settings import CloudSettings

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials
    from google.cloud import bigquery, storage

logger = logging.getLogger(__name__)

LABELS = {"app": "taxi_platform"}  # of all that the platform creates and runs in the project
BY_HAND = "manual"  # the label of what no run of Dagster does
TIMEOUTS = (10.0, 60.0)  # seconds to wait for a connection, and for the next bytes of an answer
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
SECRET_MANAGER = "https://secretmanager.googleapis.com"  # noqa: S105
_SECRET_ADDRESS = re.compile(r"sm://([a-z0-9.:-]+)/([A-Za-z0-9_-]{1,255})(?:/(latest|\d+))?", re.ASCII)
_VALID = (
    "It may be a service account's key as JSON, the same in base64 (`base64 -w0 key.json`), "
    "or sm://PROJECT/SECRET; unset, application-default credentials are used."
)


def url_of(host: str) -> str:
    """Return an emulator's URL; people write it with and without the scheme."""
    return host if "://" in host else f"http://{host}"


@dataclass(frozen=True)
class Cloud:
    """One project, with the bucket and the dataset that the platform uses there. Emulators get no credentials."""

    project: str
    location: str  # of bucket and dataset, e.g. europe-west2 or EU
    bucket: str
    dataset: str  # its name without the project
    creds: str = field(default="", repr=False)  # as GCP_CREDS; empty for application-default credentials
    storage_host: str = ""  # an emulator of Cloud Storage, e.g. http://127.0.0.1:9023
    bigquery_host: str = ""  # an emulator of BigQuery
    retries: RetryPolicy = GOOGLE
    timeouts: tuple[float, float] = TIMEOUTS
    bytes_billed: int = 10 * 1024**3  # of one statement at most; the largest month needs a tenth of it
    impersonated: str = ""  # the service account that the credentials act as; empty for themselves
    run: str = BY_HAND  # the run in the names and labels of jobs: lower-case letters, digits and dashes
    require_partition_filter: bool = False  # whether BigQuery refuses queries of the trips that name no months

    @cached_property
    def credentials(self) -> "Credentials":
        """The credentials that Google is shown."""
        return credentials_of(self.creds, self.impersonated)

    @cached_property
    def storage(self) -> "storage.Client":
        """The client for Cloud Storage."""
        from google.cloud import storage

        return storage.Client(self.project, **self._access(self.storage_host))

    @cached_property
    def bigquery(self) -> "bigquery.Client":
        """The client for BigQuery in the dataset's location. Its statements have labels and a limit."""
        from google.cloud import bigquery

        options = {"labels": self.labels, "maximum_bytes_billed": self.bytes_billed, "use_query_cache": False}
        limits = bigquery.QueryJobConfig(**options)
        access = self._access(self.bigquery_host)
        return bigquery.Client(self.project, location=self.location, default_query_job_config=limits, **access)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all jobs, by which their cost is found."""
        return {**LABELS, "run": self.run}

    def _access(self, emulator: str) -> dict[str, Any]:
        """Return how a client reaches Google, or an emulator, which gets no credentials."""
        from google.auth.credentials import AnonymousCredentials

        if not emulator:
            return {"credentials": self.credentials}
        return {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": url_of(emulator)}}

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


def cloud_of(settings: CloudSettings | None, run: str = BY_HAND) -> Cloud:
    """Return the cloud that the settings name, without a request; ``run`` is the run that uses it.

    Raises:
        CloudNotConfigured: settings are missing; the message says which.
        InvalidSetting: Google does not accept a name.
    """
    chosen = settings or CloudSettings.model_construct()
    missing = [name for name, value in chosen.names.items() if not value]
    if missing:
        present = [name for name in chosen.names if name not in missing]
        what = f"not set, while {', '.join(present)} {'is' if len(present) == 1 else 'are'}" if present else "not set"
        advice = "Google Cloud's assets and jobs need all four; see .env.example and docs/cloud.md."
        raise CloudNotConfigured(", ".join(missing), what, advice)
    for problem in problems_of_names(chosen):
        raise problem
    creds = chosen.creds.get_secret_value() if chosen.creds else ""
    return Cloud(
        *chosen.names.values(),
        creds=creds,
        storage_host=chosen.storage_host,
        bigquery_host=chosen.bigquery_host,
        bytes_billed=int(chosen.max_gib_billed * 1024**3),
        impersonated=chosen.impersonate_service_account,
        run=run,
        require_partition_filter=chosen.require_partition_filter,
    )


# What Google accepts as a name, what is wrong with anything else, and what to write instead.
_RULES = {
    "GCP_PROJECT_ID": (
        r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",  # with a legacy prefix: example.com:trips-123456
        "this cannot be the id of a project",
        "An id, which is not the project's name or number, has 6 to 30 lower-case letters, digits and dashes, and "
        "begins with a letter; `gcloud projects list` shows yours.",
    ),
    "GCP_LOCATION": (
        r"(?i:us|eu|[a-z]+-[a-z]+\d{1,2})",
        "this is not a location that has both buckets and datasets",
        "Write a region such as europe-west2, not a zone in it, or the multi-region EU or US.",
    ),
    "GCP_BUCKET_NAME": (
        r"(?!goog|.*google|\d+\.\d+\.\d+\.\d+$)(?=.{3,222}$)[a-z0-9][a-z0-9_-]{0,62}(?:\.[a-z0-9_-]{1,63})*(?<=[a-z0-9])",
        "a bucket cannot have this name",
        "A name, without gs://, has 3 to 63 lower-case letters, digits, dashes, underscores and dots, and begins and "
        "ends with a letter or digit; it is neither an IP address nor contains `google`, and it must be unique in the "
        "whole world, so start it with the project's id.",
    ),
    "GCP_DATASET": (
        r"[A-Za-z0-9_]{1,1024}",
        "a dataset cannot have this name",
        "A name has letters, digits and underscores, at most 1024 of them, no dashes, and not its project.",
    ),
}


def problems_of_names(settings: CloudSettings) -> Iterator[InvalidSetting]:
    """Yield what is wrong with the names of project, location, bucket and dataset, in this order.

    The rules are those of https://cloud.google.com/storage/docs/buckets#naming, of BigQuery's datasets and of project
    ids; whether something with that name exists is checked in ``setup``.
    """
    for setting, value in settings.names.items():
        valid, problem, advice = _RULES[setting]
        if not re.fullmatch(valid, value, re.ASCII):
            yield InvalidSetting(f"{setting}={value}", problem, advice)


# Credentials


def credentials_of(creds: str, impersonated: str = "") -> "Credentials":
    """Return the credentials that ``GCP_CREDS`` holds or leads to; when it is empty, the application-default ones.

    With ``impersonated``, they are those of another service account, which these may act as. Nothing of the content of
    ``GCP_CREDS`` is ever part of a message.

    Raises:
        InvalidSetting: it holds something else.
        CloudNotConfigured: it is empty, and this machine has no application-default credentials.
    """
    from google.auth import impersonated_credentials

    key = key_of(creds)
    own = application_default() if key is None else _from_key(key)
    return impersonated_credentials.Credentials(own, impersonated, SCOPES) if impersonated else own


def key_of(creds: str) -> dict[str, Any] | None:
    """Return the key that ``GCP_CREDS`` holds, as JSON or as JSON in base64 with or without line ends, or leads to."""
    text = creds.strip()
    if text.startswith("sm://"):
        text = read_secret(secret_version(text), application_default())
    if not text:
        return None
    try:
        if not text.lstrip().startswith("{"):
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise InvalidSetting("GCP_CREDS", "it is neither JSON nor JSON in base64", _VALID) from None


def application_default() -> "Credentials":
    """Return what Google finds: ``GOOGLE_APPLICATION_CREDENTIALS``, gcloud's log-in, or the machine's own account."""
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        return cast("Credentials", google.auth.default(scopes=SCOPES)[0])
    except (GoogleAuthError, OSError, ValueError) as error:
        what = f"none were found ({str(error).partition('. ')[0].rstrip('.')})"
        login = "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file, "
        raise CloudNotConfigured("Google Cloud's credentials", what, f"{login}or GCP_CREDS to a key.") from None


def secret_version(address: str) -> str:
    """Return Google's name of the secret at ``sm://PROJECT/SECRET`` (its latest version) or ``…/SECRET/VERSION``."""
    match = _SECRET_ADDRESS.fullmatch(address)
    if match is None:
        advice = "Write sm://PROJECT/SECRET or sm://…/VERSION."
        raise InvalidSetting(f"GCP_CREDS={address}", "no secret has such an address", advice)
    project, secret, version = match.groups()
    return f"projects/{project}/secrets/{secret}/versions/{version or 'latest'}"


def read_secret(version: str, credentials: "Credentials", policy: RetryPolicy = GOOGLE) -> str:
    """Return the text of a secret in Secret Manager, whose version ``secret_version`` names."""
    from google.cloud import secretmanager_v1 as manager
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport as Rest,
    )

    with google_errors(version):
        # REST, as the other two clients use: one proxy and one certificate store for all.
        client = manager.SecretManagerServiceClient(transport=Rest(credentials=credentials, host=SECRET_MANAGER))
        answer = client.access_secret_version(name=version, retry=google_retry(policy, version), timeout=TIMEOUTS[1])
        return answer.payload.data.decode()


def _from_key(key: dict[str, Any]) -> "Credentials":
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials, service_account

    kinds: dict[Any, Any] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "authorized_user": credentials.Credentials.from_authorized_user_info,
    }
    read = kinds.get(key.get("type"))
    if read is None:
        other = "Other credentials, such as those of a workload identity, are named by GOOGLE_APPLICATION_CREDENTIALS."
        raise InvalidSetting("GCP_CREDS", "it is not the key of a service account", other)
    try:
        return read(key, scopes=SCOPES)
    except (GoogleAuthError, ValueError, TypeError, AttributeError):
        advice = "Download the key again, and copy the whole of it."
        raise InvalidSetting("GCP_CREDS", "the key is incomplete or damaged", advice) from None
