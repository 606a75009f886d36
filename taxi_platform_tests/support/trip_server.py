"""A real HTTP server that publishes files and fails on command.

    with TripServer() as server:
        server.publish("/green/green_tripdata_2019-03.csv.gz", content)
        server.script("/green/green_tripdata_2019-03.csv.gz", Answer(status=503), Answer(cut_after=1000))
        ...                             # a client asks server.url + path: first 503, then a cut, then the file
        server.requests[-1].headers     # what the client sent last

Published files are served with ETag, Last-Modified, Range, If-Range and HEAD. Any other path gets 404.
"""

import re
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import cast

LAST_MODIFIED = "Tue, 02 Apr 2019 10:00:00 GMT"


@dataclass(frozen=True)
class Published:
    """One version of a file on the server.

    Attributes:
        content: its bytes.
        etag: its entity tag, with quotes; None sends none.
        modified: its Last-Modified; None sends none.
        ranges: whether the server knows Range; else it always sends the whole file.
        checks_if_range: whether it compares If-Range; else it sends a part even of a changed file.
        tells_length: whether it sends Content-Length; else the body comes in chunks.
    """

    content: bytes
    etag: str | None = '"v1"'
    modified: str | None = LAST_MODIFIED
    ranges: bool = True
    checks_if_range: bool = True
    tells_length: bool = True


@dataclass(frozen=True)
class Answer:
    """A response instead of the usual one, which differs only in what is set.

    Attributes:
        file: this version is published before the response, and stays published.
        status: the status; other than 200 its body is a short text.
        headers: set, or with None removed, after all others.
        delay: seconds until the first byte of the response.
        until: the first byte of the response waits until this is set.
        cut_after: bytes of the body after which the connection ends.
        reset: ends it with a reset (RST) instead of an orderly close; without ``cut_after`` before any response.
        stall: seconds of silence where the body is cut, before the connection ends.
        part: the most bytes of a response to a Range, as from servers that send parts.
    """

    file: Published | None = None
    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    delay: float = 0.0
    until: threading.Event | None = None
    cut_after: int | None = None
    reset: bool = False
    stall: float = 0.0
    part: int | None = None


@dataclass(frozen=True)
class Asked:
    """One request: its time (``time.monotonic``) and its headers (names in lower case)."""

    method: str
    path: str
    headers: Mapping[str, str]
    at: float


class TripServer:
    """The server; a context manager that listens on a free port of 127.0.0.1 while it is open.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
        template: a value of ``TAXI_SOURCE`` for this server, with paths as in the course's release.
        requests: every request so far, in order of arrival.
        away: while it is set, every connection is reset, as if the server were not running.
    """

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self._files: dict[str, Published] = {}
        self._scripts: dict[str, deque[Answer]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.away = threading.Event()
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.trips = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.template = self.url + "/{service}/{service}_tripdata_{month}.csv.gz"

    def __enter__(self) -> "TripServer":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def publish(self, path: str, file: Published | bytes) -> str:
        """Publish a file, or another state of it, under a path, and return its URL."""
        self._files[path] = Published(file) if isinstance(file, bytes) else file
        return self.url + path

    def script(self, path: str, *answers: Answer) -> None:
        """Set the answers to the next requests for a path, in this order; later requests get the usual answer."""
        self._scripts[path].extend(answers)

    def next_answer(self, asked: Asked) -> tuple[Answer, Published | None]:
        """Record a request, and return its answer and the published file, if any."""
        with self._lock:
            self.requests.append(asked)
            script = self._scripts[asked.path]
            answer = script.popleft() if script else Answer()
            if answer.file:
                self._files[asked.path] = answer.file
            return answer, self._files.get(asked.path)

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than the server is open."""
        self._closing.wait(seconds)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    trips: TripServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: many tests let a client leave in the middle of a response."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and a short body are two writes; together they would wait for an ACK

    def do_GET(self) -> None:
        trips = cast("_Listener", self.server).trips
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, file = trips.next_answer(Asked(self.command, self.path, headers, time.monotonic()))
        trips.wait(answer.delay)
        if answer.until:
            answer.until.wait()
        if trips.away.is_set() or (answer.reset and answer.cut_after is None):
            self._end(reset=True)
            return
        status, sent, body = _reply(answer, file, headers)
        self.send_response_only(status)
        for name, value in (sent | dict(answer.headers)).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = len(body) if answer.cut_after is None else answer.cut_after
        self._send(body[:cut], chunked="Transfer-Encoding" in sent, whole=cut >= len(body))
        if answer.cut_after is not None:
            trips.wait(answer.stall)
            self._end(reset=answer.reset)

    do_HEAD = do_GET

    def _send(self, body: memoryview, *, chunked: bool, whole: bool) -> None:
        if not chunked:
            self.wfile.write(body)
            return
        if body:
            self.wfile.write(b"%x\r\n" % len(body) + bytes(body) + b"\r\n")
        if whole:
            self.wfile.write(b"0\r\n\r\n")

    def _end(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            time.sleep(0.05)  # a reset overtakes what is under way; give the body time to arrive
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.wfile.close()
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: tests read ``TripServer.requests``."""


def _reply(
    answer: Answer, file: Published | None, asked: Mapping[str, str]
) -> tuple[int, dict[str, str | None], memoryview]:
    """Return status, headers and body of the response."""
    date = {"Date": formatdate(usegmt=True)}
    if answer.status not in (None, 200) or file is None:
        text = b"something other than the file\n"
        return (
            answer.status or 404,
            {**date, "Content-Type": "text/plain", "Content-Length": str(len(text))},
            memoryview(text),
        )
    size = len(file.content)
    headers: dict[str, str | None] = {
        **date,
        "Content-Type": "application/octet-stream",
        "ETag": file.etag,
        "Last-Modified": file.modified,
        "Accept-Ranges": "bytes" if file.ranges else None,
    }
    span = _span(asked.get("range"), size) if file.ranges and _still_meant(asked, file) else None
    if span is not None and span.start >= size:
        return 416, {**headers, "Content-Range": f"bytes */{size}", "Content-Length": "0"}, memoryview(b"")
    if span and answer.part:
        span = span[: answer.part]
    body = memoryview(file.content)[span.start : span.stop] if span else memoryview(file.content)
    length: dict[str, str | None] = (
        {"Content-Length": str(len(body))} if file.tells_length else {"Transfer-Encoding": "chunked"}
    )
    if span is None:
        return 200, headers | length, body
    return 206, {**headers, **length, "Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}"}, body


def _still_meant(asked: Mapping[str, str], file: Published) -> bool:
    """Return whether If-Range, if it is sent and checked, names the current version of the file."""
    return not file.checks_if_range or asked.get("if-range") in (None, file.etag, file.modified)


def _span(text: str | None, size: int) -> range | None:
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", text or "")
    return range(int(match[1]), min(int(match[2] or size - 1) + 1, size)) if match else None
