"""Looking a secret up in Google's Secret Manager, for those who do not want keys in the environment."""

import re
from typing import TYPE_CHECKING

from taxi_platform.bigquery.answers import asking
from taxi_platform.bigquery.patience import PATIENT, Patience
from taxi_platform.errors import InvalidSetting

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCHEME = "sm://"
ENDPOINT = "https://secretmanager.googleapis.com"
_ADDRESS = re.compile(r"sm://([a-z0-9.:-]+)/([A-Za-z0-9_-]{1,255})(?:/(latest|\d+))?", re.ASCII)


def secret_version(address: str) -> str:
    """What Google calls the secret at ``sm://PROJECT/SECRET``, its latest version, or ``sm://PROJECT/SECRET/VERSION``.

    Raises:
        InvalidSetting: the address has another form.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise InvalidSetting(
            f"GCP_CREDS={address}", "no secret has such an address", "Write sm://PROJECT/SECRET or sm://…/VERSION."
        )
    project, secret, version = match.groups()
    return f"projects/{project}/secrets/{secret}/versions/{version or 'latest'}"


def read_secret(version: str, credentials: "Credentials", patience: Patience = PATIENT) -> str:
    """The text of a secret.

    Args:
        version: as ``secret_version`` has it.
        credentials: with the role ``roles/secretmanager.secretAccessor`` on the secret.
        patience: how long Google is asked again.

    Raises:
        CloudRefused, CloudNotReady, CloudUnavailable: the secret cannot be read.
    """
    from google.cloud import secretmanager_v1 as manager
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport as Rest,
    )

    with asking(version):
        # REST, as storage and BigQuery speak it: one proxy, one certificate store for all.
        client = manager.SecretManagerServiceClient(transport=Rest(credentials=credentials, host=ENDPOINT))
        found = client.access_secret_version(
            name=version, retry=patience.retry(version, lambda _: None), timeout=patience.read_timeout
        )
        return found.payload.data.decode()
