"""A real HTTP server with the part of Gemini's API that the assistant uses, which fails on command.

    with GeminiServer() as server:
        server.answers.append(refused(429, "RESOURCE_EXHAUSTED"))   # the next response; then the usual ones again
        ...                                                         # GOOGLE_GEMINI_BASE_URL=server.url
        server.requests[-1].body                                    # what the client sent last

By default a question is answered with ``server.reply``, and a text is embedded by how often it has each letter.
"""

import json
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, cast

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    path: str
    key: str | None
    body: dict[str, Any]


@dataclass(frozen=True)
class Response:
    """One response instead of the usual one: a status with a JSON body, after a pause in seconds."""

    status: int = 200
    body: Any = None
    pause: float = 0.0


@dataclass
class GeminiServer:
    """The server; a context manager."""

    reply: str = "An answer [1]."
    answers: deque[Response] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> "GeminiServer":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        cast("Any", self._server).gemini = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The value for GOOGLE_GEMINI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


def refused(status: int, word: str, message: str = "") -> Response:
    """Return a failure in the words of the service."""
    return Response(status, {"error": {"code": status, "status": word, "message": message or word}})


def reply_with(text: str) -> Response:
    """Return a reply with this text."""
    part = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    return Response(body={"candidates": [part]})


def vector(text: str) -> list[float]:
    """Return how often each letter occurs, so that texts with the same words are close to each other."""
    return [float(text.lower().count(letter)) for letter in LETTERS]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        gemini: GeminiServer = cast("Any", self.server).gemini
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        gemini.requests.append(Request(self.path, self.headers.get("x-goog-api-key"), body))
        answer = gemini.answers.popleft() if gemini.answers else Response(body=_usual(gemini, self.path, body))
        time.sleep(answer.pause)
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        with suppress(ConnectionError):  # the client's timeout is over
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _usual(gemini: GeminiServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    if path.endswith(":batchEmbedContents"):
        texts = ["".join(part["text"] for part in one["content"]["parts"]) for one in body["requests"]]
        return {"embeddings": [{"values": vector(text)} for text in texts]}
    return reply_with(gemini.reply).body
