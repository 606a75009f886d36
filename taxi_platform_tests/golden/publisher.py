"""A server on this machine that publishes files and records the requests."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Publisher:
    """The server.

    Attributes:
        files: contents by name; a file's entity tag consists of its name and size.
        asked: method and name of every request so far.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.asked: list[tuple[str, str]] = []
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                publisher.asked.append((self.command, name))
                content = publisher.files.get(name)
                self.send_response(200 if content else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                if content:
                    self.send_header("ETag", f'"{name}-{len(content)}"')
                    self.send_header("Last-Modified", "Tue, 02 Apr 2019 10:00:00 GMT")
                self.end_headers()
                if content and self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.template = f"http://127.0.0.1:{self.port}/{{service}}/{{service}}_tripdata_{{month}}.csv.gz"


@contextmanager
def publishing(files: Mapping[str, bytes]) -> Iterator[Publisher]:
    """Publish files by HTTP within a block."""
    publisher = Publisher(files)
    thread = threading.Thread(target=publisher.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        publisher.server.shutdown()
        publisher.server.server_close()
