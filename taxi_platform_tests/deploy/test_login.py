"""The rules of the log-in's Caddyfile: the real Caddy in front of a web server that answers every request."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from taxi_platform.settings import PROJECT
from taxi_platform_tests.support import compose, users
from taxi_platform_tests.support.stack import PASSWORDS
from taxi_platform_tests.support.this_machine import free_ports

MUTATION = "/graphql?query=mutation{setConcurrencyLimit(concurrencyKey:%22postgres%22,limit:0)}"
JSON = {"Content-Type": "application/json"}


class WebServer(BaseHTTPRequestHandler):
    """A web server that answers every request with 200."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the log-in in front of a web server of the tests, and yield its URL."""
    behind = ThreadingHTTPServer(("127.0.0.1", 0), WebServer)
    threading.Thread(target=behind.serve_forever, args=(0.01,), daemon=True).start()
    (port,) = free_ports(1)
    file = tmp_path_factory.mktemp("login") / "Caddyfile"
    text = (PROJECT / "deploy/login/Caddyfile").read_text()
    for name in ("web:3000", "web-read-only:3001"):
        text = text.replace(name, f"127.0.0.1:{behind.server_port}")
    file.write_text(text.replace(":8080", f":{port}"))
    variables = compose.services(users.variables() | PASSWORDS, ["auth"])["login"].environment
    caddy = Path(sys.executable).parent / "caddy"
    process = subprocess.Popen([caddy, "run", "--config", file], env={**variables, "HOME": str(file.parent)})
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(requests.ConnectionError):
                requests.get(f"{url}/health", timeout=10)
                break
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()
        behind.shutdown()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        (
            "GET",
            "/overview",
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
            200,
        ),  # a link in a message
        ("POST", "/graphql", JSON | {"Sec-Fetch-Site": "same-origin"}, 200),
        ("GET", "/graphql", {"Accept": "text/html", "Sec-Fetch-Site": "none"}, 200),
        ("GET", "/graphql", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Fetch-Site": "same-origin"}, 200),
        ("GET", MUTATION, {"Accept": "image/*", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("GET", MUTATION, {"Accept": "image/*"}, 405),  # from a browser that does not send Sec-Fetch-Site
        ("POST", "/graphql", JSON | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
        ("POST", "/graphql", JSON | {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", "/graphql", {"Content-Type": "text/plain; charset=application/json"}, 415),
        ("POST", "/graphql", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),  # a form
        ("GET", "/graphql", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_requests_that_pages_of_other_sites_make_do_not_reach_the_web_server(
    method: str, path: str, headers: dict[str, str], status: int, login: str
) -> None:
    answer = requests.request(method, login + path, headers=headers, auth=users.OPERATOR, timeout=60)
    assert answer.status_code == status


def test_nobody_reaches_the_web_server_without_a_password(login: str) -> None:
    assert requests.get(login, timeout=60).status_code == 401
    assert requests.get(f"{login}/health", timeout=60).status_code == 204
