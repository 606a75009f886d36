"""The web UI's port: whether it is free, or who has taken it."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from taxi_platform.operations.doctor.findings import Finding, ok, warning
from taxi_platform.settings import Settings

DEFAULT = 3000
SECONDS = 3.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the port of ``dagster dev``, and at that of ``TAXI_WEB_URL`` if it is on this machine."""
    place = urlsplit(settings.web_url)
    own = [place.port or 80] if place.hostname in _LOCAL else []
    for port in sorted({DEFAULT, *own}):
        yield examined(port)


def examined(port: int) -> Finding:
    """Whether a port of this machine is free, has the web UI, or something else."""
    if is_free(port):
        return ok(f"port {port} is free for the web UI")
    version = web_ui_on(port)
    if version:
        return ok(f"the web UI (Dagster {version}) is on http://127.0.0.1:{port}")
    who = listener_on(port)
    return warning(
        f"port {port} is taken by {who or 'another program'}",
        f"End it, or start the web UI on another: `dagster dev --port {port + 1}`.",
    )


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS).close()
    except OSError:
        return True
    return False


def web_ui_on(port: int) -> str | None:
    """The version of the web UI that answers on a port; nothing when none does."""
    import requests

    try:
        answer = requests.get(f"http://127.0.0.1:{port}/server_info", timeout=SECONDS).json()
        return str(answer["dagster_webserver_version"])
    except (requests.RequestException, ValueError, LookupError, TypeError):
        return None


def listener_on(port: int) -> str | None:
    """The program that listens on a port, as far as this user may know it."""
    import psutil

    try:
        listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        pids = [one.pid for one in listening if one.pid and one.laddr and one.laddr.port == port]
        return f"{psutil.Process(pids[0]).name()} (process {pids[0]})" if pids else None
    except psutil.Error:  # some systems tell root alone
        return None
