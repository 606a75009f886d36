"""Which requests the web server refuses, by their headers. What the real web server does is in stack/test_web_guard."""

import pytest
from starlette.requests import HTTPConnection

from taxi_platform.orchestration.web_guard import allowed_names, refusal
from taxi_platform.settings import Settings

NAMES = {"dagster.example.com"}
OURS = {"Host": "127.0.0.1:3000"}
JSON = {"Content-Type": "application/json"}
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def status(method: str, path: str, headers: dict[str, str]) -> int | None:
    kind = "websocket" if method == "WEBSOCKET" else "http"
    scope = {
        "type": kind,
        "path": path,
        "query_string": b"query=mutation",
        "headers": [(name.lower().encode(), value.encode()) for name, value in {**OURS, **headers}.items()],
        **({"method": method} if kind == "http" else {}),
    }
    refused = refusal(HTTPConnection(scope), NAMES)
    return refused[0] if refused else None


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/graphql", JSON),
        ("POST", "/graphql", {"Content-Type": "application/json; charset=utf-8", "Sec-Fetch-Site": "same-origin"}),
        ("POST", "/graphql", {**JSON, "Origin": "http://127.0.0.1:3000"}),
        ("POST", "/dagster/graphql", {**JSON, "Host": "dagster.example.com", "Origin": "https://dagster.example.com"}),
        ("POST", "/graphql", {**JSON, "Origin": "https://dagster.example.com"}),  # behind a proxy that changes Host
        ("POST", "/graphql", {"Content-Type": "application/graphql"}),
        ("POST", "/report_asset_materialization/green_tripdata", JSON),
        ("GET", "/graphql", {"Accept": "text/html,*/*", "Sec-Fetch-Site": "none"}),
        ("GET", "/runs", {**PAGE, "Sec-Fetch-Site": "cross-site"}),  # a link in a message
        ("GET", "/static/main.js", {"Sec-Fetch-Site": "same-origin"}),
        ("GET", "/server_info", {}),
        ("GET", "/server_info", {"Host": "localhost"}),
        ("GET", "/server_info", {"Host": "[::1]:3000"}),
        ("GET", "/server_info", {"Host": "10.4.0.17:80"}),
        ("GET", "/server_info", {"Host": "Dagster.Example.COM:8443"}),
        ("WEBSOCKET", "/graphql", {}),
        ("WEBSOCKET", "/graphql", {"Origin": "http://127.0.0.1:3000"}),
    ],
)
def test_requests_of_the_ui_of_clients_and_of_links_pass(method: str, path: str, headers: dict[str, str]) -> None:
    assert status(method, path, headers) is None


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        # An image, a script, or a request without a preflight from a page of another site
        ("GET", "/graphql", {"Accept": "image/*", "Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/graphql", {"Accept": "image/*"}, 405),
        ("GET", "/graphql", {}, 405),
        ("HEAD", "/dagster/graphql", {}, 405),
        ("GET", "/runs", {"Accept": "*/*", "Sec-Fetch-Site": "same-site"}, 403),
        ("POST", "/graphql", {"Content-Type": "text/plain; charset=application/json"}, 415),
        ("POST", "/graphql", {}, 415),
        ("POST", "/report_asset_materialization/green_tripdata", {}, 415),
        ("POST", "/graphql", {**JSON, "Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "/graphql", {**JSON, "Origin": "https://evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "Origin": "http://127.0.0.1:8000"}, 403),
        ("POST", "/graphql", {**JSON, "Origin": "null"}, 403),
        ("POST", "/graphql", {**JSON, "Origin": "http://[::1"}, 403),
        # A form, a frame
        ("POST", "/graphql", {**PAGE, "Content-Type": "text/plain", "Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/runs", {**PAGE, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}, 403),
        # A WebSocket, which browsers let any page open
        ("WEBSOCKET", "/graphql", {"Origin": "https://evil.example"}, 403),
        # DNS rebinding: a foreign name that resolves to this server's address
        ("GET", "/runs", {**PAGE, "Host": "evil.example:3000"}, 403),
        ("POST", "/graphql", {**JSON, "Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "Host": "127.0.0.1.evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "Host": ""}, 403),
    ],
)
def test_requests_that_another_site_can_cause_are_refused(
    method: str, path: str, headers: dict[str, str], expected: int
) -> None:
    assert status(method, path, headers) == expected


def test_the_allowed_host_names_come_from_the_settings() -> None:
    chosen = Settings.model_validate({"web_url": "https://Dagster.example.com:8443/ui", "allowed_hosts": "a.b, C d"})
    assert allowed_names(chosen) == {"dagster.example.com", "a.b", "c", "d"}
