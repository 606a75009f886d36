"""Pages of other sites change nothing on the real web server: with requests made by hand, and in a real browser."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests
from dagster_graphql import DagsterGraphQLClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from taxi_platform_tests.stack.conftest import PUBLISHED_AS
from taxi_platform_tests.support.browser import browser
from taxi_platform_tests.support.stack import Stack
from taxi_platform_tests.support.web_ui import ask

MUTATION = 'mutation{setConcurrencyLimit(concurrencyKey:"evil",limit:0)}'
LIMITS = "{ instance { concurrencyLimits { concurrencyKey } } }"
OPENS_SOCKET = """new Promise(resolve => {
    const socket = new WebSocket(`ws://${location.host}/graphql`, 'graphql-ws')
    socket.onopen = () => resolve('open')
    socket.onerror = () => resolve('refused')
})"""


@pytest.fixture
def server(stack: Stack) -> str:
    """Return the URL of the stack's web server."""
    return stack.url(3000) + "/"


def limits(server: str) -> list[str]:
    return [limit["concurrencyKey"] for limit in ask(server, LIMITS)["instance"]["concurrencyLimits"]]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Accept": "image/*", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
        ("GET", {"Accept": "image/*"}),
        ("POST", {"Content-Type": "text/plain; charset=application/json"}),
        ("POST", {}),
        ("POST", {"Content-Type": "application/json", "Origin": "https://evil.example"}),
        ("POST", {"Content-Type": "application/json", "Host": "evil.example"}),
    ],
)
def test_a_mutation_that_another_site_can_send_changes_nothing(
    method: str, headers: dict[str, str], server: str
) -> None:
    body = f'{{"query": "{MUTATION}"}}'.replace('"evil"', '\\"evil\\"') if method == "POST" else None
    for url in (f"{server}graphql?query={quote(MUTATION)}", f"{server}graphql"):
        answer = requests.request(method, url, headers=headers, data=body, timeout=30)
        assert answer.status_code in (403, 405, 415), answer.text
    assert "evil" not in limits(server)


def test_a_websocket_is_refused_to_pages_of_other_sites(server: str) -> None:
    address, host = server.replace("http://", "ws://") + "graphql", urlsplit(server).netloc
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin="https://evil.example", subprotocols=["graphql-ws"])  # pyright: ignore
    for origin in (None, f"http://{host}"):
        with connect(address, origin=origin, subprotocols=["graphql-ws"]) as socket:  # pyright: ignore
            socket.send('{"type": "connection_init"}')
            assert "connection_ack" in str(socket.recv(10))


def test_clients_pages_and_the_published_name_are_served(server: str) -> None:
    parts = urlsplit(server)
    client = DagsterGraphQLClient(str(parts.hostname), port_number=parts.port)
    assert client._execute("{ version }")["version"]  # pyright: ignore[reportPrivateUsage]
    page = requests.get(server, headers={"Host": PUBLISHED_AS, "Accept": "text/html"}, timeout=30)
    assert (page.status_code, page.headers["X-Frame-Options"]) == (200, "SAMEORIGIN")


@contextmanager
def site(page: str) -> Iterator[str]:
    """Serve a site with one page on another host than the web server, and yield its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://localhost:{running.server_port}/"
        running.shutdown()


def test_a_page_of_another_site_changes_nothing_in_a_real_browser(server: str, tmp_path: Path) -> None:
    target = f"{server}graphql?query={quote(MUTATION)}"
    page = f"""<img src='{target}'><script src='{target}'></script><script>
    const body = JSON.stringify({{query: '{MUTATION}'}})
    const send = type => fetch('{target}', {{method: 'POST', mode: 'no-cors', body, headers: {{'Content-Type': type}}}})
    const socket = new WebSocket('{server.replace("http", "ws", 1)}graphql', 'graphql-ws')
    const refused = new Promise(resolve => {{
        socket.onerror = () => resolve('refused')
        socket.onopen = () => resolve('open')
    }})
    window.done = Promise.all([send('text/plain'), send('text/plain; charset=application/json'), refused])
    </script>"""
    with site(page) as evil, browser(800, 600) as tab:
        tab.goto(evil)
        assert tab.evaluate("window.done")[2] == "refused"
        tab.wait_for_load_state("networkidle")
    assert "evil" not in limits(server)


def test_the_ui_works_in_a_real_browser(server: str) -> None:
    refused: list[str] = []
    with browser(1200, 700) as tab:
        tab.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
        tab.goto(f"{server}deployment/concurrency")
        tab.get_by_text("duckdb").first.wait_for()
        tab.goto(f"{server}runs")
        tab.get_by_text("Runs").first.wait_for()
        assert tab.evaluate(OPENS_SOCKET) == "open"
    assert refused == []
