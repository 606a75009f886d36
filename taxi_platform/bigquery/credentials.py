"""Credentials: those of the settings, or those that Google's libraries find by themselves.

``GCP_CREDS`` holds a key as JSON, the same in base64, or the address of a secret that holds it. Nothing of its content
is ever part of a message.
"""

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.bigquery.secret_manager import SCHEME, read_secret, secret_version
from taxi_platform.errors import CloudNotConfigured, InvalidSetting

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_VALID = (
    "It may be a service account's key as JSON, the same in base64 (`base64 -w0 key.json`), "
    "or sm://PROJECT/SECRET; unset, application-default credentials are used."
)


def credentials_of(creds: str) -> "Credentials":
    """The credentials that ``GCP_CREDS`` holds or leads to; when it is empty, the application-default ones.

    Raises:
        InvalidSetting: it holds something else.
        CloudNotConfigured: it is empty, and this machine has no application-default credentials.
        CloudRefused, CloudUnavailable: it is the address of a secret that cannot be read.
    """
    text = creds.strip()
    if not text:
        return application_default()
    if text.startswith(SCHEME):
        version = secret_version(text)
        text = read_secret(version, application_default())
    return _from_key(_parsed(text))


def application_default() -> "Credentials":
    """What Google's libraries find: ``GOOGLE_APPLICATION_CREDENTIALS``, gcloud's log-in, or the machine's own account.

    Raises:
        CloudNotConfigured: they find nothing, or nothing that they can read.
    """
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        found = cast("Credentials", google.auth.default(scopes=SCOPES)[0])
    except (GoogleAuthError, OSError, ValueError) as error:
        raise CloudNotConfigured(
            "Google Cloud's credentials",
            f"none were found ({str(error).partition('. ')[0].rstrip('.')})",
            "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file, "
            "or GCP_CREDS to a key.",
        ) from None
    return found


def _parsed(text: str) -> dict[str, Any]:
    """The key, from JSON or from JSON in base64, with or without line ends."""
    try:
        if not text.lstrip().startswith("{"):
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        key = json.loads(text)
    except (binascii.Error, ValueError):
        raise InvalidSetting("GCP_CREDS", "it is neither JSON nor JSON in base64", _VALID) from None
    if not isinstance(key, dict):
        raise InvalidSetting("GCP_CREDS", "it is no key but other JSON", _VALID)
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
        "it holds no key of a service account",
        "Other credentials, such as those of a workload identity, are named by GOOGLE_APPLICATION_CREDENTIALS.",
    )
