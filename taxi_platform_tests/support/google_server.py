"""A real HTTP server for what the emulators do not do as Google does; it fails on command.

    with GoogleServer() as google:
        google.add_bucket("trips-lake", location="EU")
        google.script("POST /upload/", Answer(503), Answer(lost=True))
        ...                            # a client uploads: first 503, then done without a response, then successfully
        google.objects["trips-lake", "raw/green/green_tripdata_2019-03.csv.gz"].content
        google.asked("POST /upload/")[0].query["ifGenerationMatch"]

Its usual responses are in ``google_answers``. Other servers that record and fail share ``RecordingServer``.
"""

import json
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from taxi_platform_tests.support.google_answers import Asked, Google, Refused, Reply

if TYPE_CHECKING:
    from typing_extensions import Self

SMALL = 64 * 1024  # bytes; a larger body is read after the response has been chosen


@dataclass(frozen=True)
class Answer:
    """A response instead of the usual one.

    Attributes:
        status: an error's status; None for the usual response.
        message: Google's message of the error.
        reason: Google's reason code.
        before: called before the response, e.g. for what another writer does at that moment.
        cut: the connection ends without a response, and nothing is done; of an upload, half of the body is read.
        lost: the request is carried out as usual, but the connection ends before the response is sent.
        kept: of an upload's part, how many bytes the server keeps, as if it had been too busy for the rest.
        ended: of a job, the fields with which it ends; nothing is done.
        looks: of a job, how many polls it takes until it has ended.
        during: of a job, called while it runs.
    """

    status: int | None = None
    message: str = "made for this test"
    reason: str = ""
    before: Callable[[], object] | None = None
    cut: bool = False
    lost: bool = False
    kept: int | None = None
    ended: Mapping[str, Any] | None = None
    looks: int = 0
    during: Callable[[], object] | None = None


class RecordingServer:
    """A server that records requests; a context manager that listens on a free port of 127.0.0.1 while it is open.

    Attributes:
        url: ``http://127.0.0.1:<port>``.
        requests: every request so far, in order of arrival.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Asked] = []
        self._scripts: dict[str, deque[Answer]] = defaultdict(deque)
        self._noting = threading.Lock()
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.google = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Self":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def script(self, beginning: str, *answers: Answer) -> None:
        """Set the responses, in this order, to the next requests whose name begins like this."""
        self._scripts[beginning].extend(answers)

    def forgive(self) -> None:
        """Drop the responses that are left, and respond as usual again."""
        self._scripts.clear()

    def asked(self, beginning: str) -> list[Asked]:
        """Return the requests whose name begins like this."""
        return [asked for asked in list(self.requests) if self.name_of(asked).startswith(beginning)]

    def name_of(self, asked: Asked) -> str:
        """Return the name of a request for tests: its method and path."""
        return f"{asked.method} {asked.path}"

    def note(self, asked: Asked) -> Answer:
        """Record a request, and return the response that the test has set for it."""
        with self._noting:
            self.requests.append(asked)
            for beginning, script in self._scripts.items():
                if script and self.name_of(asked).startswith(beginning):
                    return script.popleft()
        return Answer()

    def answer(self, asked: Asked) -> Reply:
        """Return the usual response.

        Raises:
            Refused: the usual response is an error.
        """
        raise NotImplementedError


class GoogleServer(Google, RecordingServer):
    """The emulated project, over HTTP."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    google: RecordingServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print errors of this server, but not connections that end early, which many tests cause."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        google = cast("_Listener", self.server).google
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query))
        asked = Asked(self.command, parts.path, query, headers)
        if length <= SMALL:
            asked.body = self.rfile.read(length)
        answer = google.note(asked)
        if answer.cut:
            self.rfile.read(length // 2 if length > SMALL else 0)
            self._hang_up()
            return
        asked.body = asked.body or self.rfile.read(length)
        asked.kept, asked.ended, asked.looks, asked.during = answer.kept, answer.ended, answer.looks, answer.during
        if answer.before:
            answer.before()
        self._answer(answer, asked, google)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _hang_up(self) -> None:
        self.connection.close()
        self.close_connection = True

    def _answer(self, answer: Answer, asked: Asked, google: RecordingServer) -> None:
        try:
            if answer.status:
                raise Refused(answer.status, answer.message, answer.reason)
            status, headers, body = google.answer(asked)
        except Refused as refused:
            status, headers, body = refused.status, {}, refused.body
        if answer.lost:
            self._hang_up()
            return
        data = json.dumps(body).encode()
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data) if status != 204 else 0))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: tests read ``GoogleServer.requests``."""
