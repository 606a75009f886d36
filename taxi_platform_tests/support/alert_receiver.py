"""A real HTTP server that receives the alerts that Apprise posts as JSON, and fails on command.

with AlertReceiver() as receiver:
receiver.status = 500           # from now on it refuses messages
...                             # something is sent to receiver.url
receiver.asked, receiver.taken  # every message received, and those that were answered with 200
"""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, cast


class AlertReceiver:
    """The server; a context manager that listens on 127.0.0.1 while it is open, and can be opened again.

    Attributes:
        url: its address for Apprise, with a password in it, and a short timeout.
        password: that password.
        status: the status of its responses.
        hangs: whether it accepts a message and does not respond until it is closed.
        asked: the messages received, each with ``title`` and ``message``.
        taken: those of them that were answered with 200.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.password = f"secret-{self.port}"
        self.url = f"json://user:{self.password}@127.0.0.1:{self.port}/?rto=1&cto=1"
        self.status = 200
        self.hangs = False
        self.asked: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.closing = threading.Event()

    def __enter__(self) -> "AlertReceiver":
        self.closing.clear()
        self._server = _Listener(("127.0.0.1", self.port), _Handler)
        self._server.receiver = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def receive(self, message: dict[str, Any]) -> int | None:
        """Record a message, and return the status of the response; None for no response."""
        self.asked.append(message)
        if self.hangs:
            self.closing.wait()
            return None
        if self.status == 200:
            self.taken.append(message)
        return self.status


class _Listener(ThreadingHTTPServer):
    receiver: AlertReceiver
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        status = cast("_Listener", self.server).receiver.receive(json.loads(self.rfile.read(length)))
        if status is not None:
            self.send_response(status)
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass
