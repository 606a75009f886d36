"""The users who may log in to the tests' stack."""

import shutil
import subprocess

# The health check of the log-in service needs wget, which its image has and this machine may not.
CAN_LOG_IN = shutil.which("wget") is not None
OPERATOR, VIEWER = ("operator", "dr1ve"), ("viewer", "l00k")


def variables() -> dict[str, str]:
    """Return the users' variables in ``.env``; the names are its defaults."""
    return {"LOGIN_OPERATOR_HASH": _hashed(OPERATOR[1]), "LOGIN_VIEWER_HASH": _hashed(VIEWER[1])}


def _hashed(password: str) -> str:
    command = ["caddy", "hash-password", "--plaintext", password]  # as .env.example recommends
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
