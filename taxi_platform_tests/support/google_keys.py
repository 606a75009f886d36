"""A service account's key in Google's form, made for a test, which chooses the server of its tokens."""

import json
from functools import cache
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@cache
def private_key() -> str:
    """Return the process's one private key; making one takes long."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account_key(token_server: str) -> str:
    """Return a service account's key as the JSON that ``GCP_CREDS`` may hold."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "trips-123",
            "private_key_id": uuid4().hex,
            "private_key": private_key(),
            "client_email": "robot@trips-123.iam.gserviceaccount.com",
            "token_uri": f"{token_server}/token",
        }
    )


def secrets_of(key: str) -> list[str]:
    """Return the secret parts of a key: its id, and every line of the private key."""
    return [json.loads(key)["private_key_id"], *private_key().splitlines()[1:-1]]
