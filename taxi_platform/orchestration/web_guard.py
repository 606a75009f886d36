"""What the web server refuses: requests that pages of other sites make a browser send.

Dagster's web server has no log-in, executes mutations sent by GET, and answers to every host name, so any page that a
user has open could start runs. ``storage`` puts this guard before the web server of every process that serves the UI.
The log-in in deploy/login/Caddyfile has the same rules.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taxi_platform.settings import Settings

Refusal = tuple[int, str]

# Types that another site's page cannot send without asking first, by a request that Dagster does not answer.
_NOT_SIMPLE = {"application/json", "application/graphql"}
_READS = {"GET", "HEAD", "OPTIONS"}


class WebGuard:
    """An ASGI middleware that refuses requests from pages of other sites.

    ``names`` are the host names, in lower case, under which the UI is reached besides localhost and IP addresses.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        refused = refusal(HTTPConnection(scope), self._names) if scope["type"] in ("http", "websocket") else None
        if refused is None:

            async def send_with_header(message: Message) -> None:
                if message["type"] == "http.response.start":
                    # Otherwise another site could show the UI in a frame and lead a user to click on it.
                    MutableHeaders(scope=message)["x-frame-options"] = "SAMEORIGIN"
                await send(message)

            await self._app(scope, receive, send_with_header)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1]})  # answered with 403
        else:
            status, reason = refused
            await PlainTextResponse(f"{reason}\n", status)(scope, receive, send)


def allowed_names(settings: Settings) -> set[str]:
    """Return the host names of ``TAXI_WEB_URL`` and ``TAXI_ALLOWED_HOSTS``."""
    return {urlsplit(settings.web_url).hostname or "", *settings.allowed_hosts.lower().replace(",", " ").split()}


def refusal(request: HTTPConnection, names: Collection[str]) -> Refusal | None:
    """Return the status and the reason with which a request is refused, or None if it may pass."""
    headers = request.headers
    method = request.scope.get("method", "GET")  # a WebSocket has none
    host = headers.get("host", "")
    if not _is_allowed(host, names):
        # The name of an attacker's site may lead to this server's address (DNS rebinding).
        return 403, f"The UI is not published as {host[:100]!r}. Name this host in TAXI_ALLOWED_HOSTS or TAXI_WEB_URL."
    origin = headers.get("origin")
    if origin is not None and not _is_own(origin, host, names):
        return 403, "Requests from pages of other sites are refused."
    opens_page = method in _READS and (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == (
        "navigate",
        "document",
    )
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not opens_page:
        return 403, "Requests from pages of other sites are refused."
    is_graphql = request.scope["type"] == "http" and request.url.path.endswith("/graphql")
    if is_graphql and method in _READS and "text/html" not in headers.get("accept", ""):
        return 405, "GraphQL is executed by POST only."
    if method not in _READS and headers.get("content-type", "").partition(";")[0].strip().lower() not in _NOT_SIMPLE:
        return 415, "Send the header Content-Type: application/json."
    return None


def _is_allowed(host: str, names: Collection[str]) -> bool:
    """Return whether a Host header names this server: an address cannot be rebound, and only known names may be."""
    name = re.sub(r":\d+$", "", host).lower()
    if name == "localhost" or name in names:
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_own(origin: str, host: str, names: Collection[str]) -> bool:
    """Return whether an Origin header names the UI, also behind a proxy that changes the Host header."""
    try:
        parts = urlsplit(origin)
        return parts.netloc.lower() == host.lower() or (parts.hostname or "") in names
    except ValueError:
        return False
