"""The source that an HTTP server is: asking for files, and downloads that outlive broken connections.

What an answer means is decided in ``answers``, what has arrived is kept by ``partial``, and ``retries`` knows when to
ask again. Whether a complete file is a good one is not decided here.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from taxi_platform.errors import DamagedFile
from taxi_platform.sources.http.addresses import AddressTemplate, file_of, public
from taxi_platform.sources.http.answers import (
    Step,
    interruption,
    next_step,
    refuse_encoding,
    refuse_failures,
    refuse_page,
    version_of,
)
from taxi_platform.sources.http.progress import Progress
from taxi_platform.sources.http.retries import Interrupted, Retries
from taxi_platform.sources.partial import PartialFile, validator
from taxi_platform.sources.source import Log
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from requests import Response, Session
    from urllib3.response import BaseHTTPResponse

CHUNK = 64 * 1024  # bytes received at once: what a killed process or a reset connection loses at most
PATIENT = Retries()
HURRIED = Retries(attempts=2, first_wait=0.5, longest_wait=1.0, longest_retry_after=1.0)
_NO_HEAD = (403, 405, 501)  # answers of servers, and of signed addresses, that take GET alone


class HttpSource:
    """Trip files on an HTTP server, under addresses made from a template.

    Safe to share between threads: every call opens a session of its own.

    Args:
        template: as ``AddressTemplate`` has it.
        retries: how often and when to ask again.
        connect_timeout: seconds until a connection must stand.
        read_timeout: seconds that the server may be silent.
        progress_every: seconds between two lines of progress.

    Raises:
        InvalidSetting: the template is not the address of a trip file.
    """

    asking_is_free = False

    def __init__(
        self,
        template: str,
        *,
        retries: Retries = PATIENT,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        progress_every: float = 5.0,
    ) -> None:
        self._template = AddressTemplate(template)
        self._retries = retries
        self._timeouts = (connect_timeout, read_timeout)
        self._progress_every = progress_every

    def trips(self, service: Service, month: Month) -> str:
        """The address of a month's file."""
        return self._template.trips(service, month)

    def zones(self) -> str:
        """The address of the zone lookup."""
        return self._template.zones()

    def version(self, address: str) -> SourceVersion:
        """What the server has under an address now, as ``Source.version`` promises."""
        with self._session(address) as session:
            return self._retries.run(lambda: self._look(session, address), address, log=lambda _: None)

    def fetch(self, address: str, target: Path, log: Log) -> SourceVersion:
        """Download a file to ``target``, as ``Source.fetch`` promises.

        Bytes that an earlier call left there, even in a process that was killed, are continued if the server still
        has the same version. After a failure they stay for the next call.
        """
        partial = PartialFile(target, public(address))
        progress = Progress(file_of(address), log, self._progress_every)
        with self._session(address) as session:
            version = self._retries.run(lambda: self._receive(session, address, partial, progress), address, log)
        partial.complete()
        return version

    @contextmanager
    def _session(self, address: str) -> "Generator[Session, None, None]":
        import requests  # loading the definitions shall not wait for it

        with requests.Session() as session:
            session.headers["Accept-Encoding"] = "identity"
            if urlsplit(address).netloc == self._template.host:
                session.auth = self._template.credentials
            yield session

    @contextmanager
    def _ask(
        self, session: "Session", method: str, address: str, headers: Mapping[str, str]
    ) -> "Generator[Response, None, None]":
        import requests
        import urllib3

        try:
            response = session.request(method, address, headers=headers, stream=True, timeout=self._timeouts)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise interruption(error, address) from error
        with response:
            yield response

    def _look(self, session: "Session", address: str) -> SourceVersion:
        with self._ask(session, "HEAD", address, {}) as response:
            if response.status_code not in _NO_HEAD:
                refuse_failures(response.status_code, response.reason, response.headers, address, ranged=False)
                return version_of(response.status_code, response.headers)
        with self._ask(session, "GET", address, {"Range": "bytes=0-0"}) as response:
            refuse_failures(response.status_code, response.reason, response.headers, address, ranged=True)
            return version_of(response.status_code, response.headers)

    def _receive(self, session: "Session", address: str, partial: PartialFile, progress: Progress) -> SourceVersion:
        have = partial.received
        wanted = _rest_of(have, partial.version)
        with self._ask(session, "GET", address, wanted) as response:
            headers = response.headers
            refuse_failures(response.status_code, response.reason, headers, address, ranged=bool(wanted))
            step = next_step(response.status_code, headers, have, partial.version)
            if step is Step.WHOLE:
                refuse_encoding(headers, address)
                partial.start(version_of(response.status_code, headers))
            if step in (Step.WHOLE, Step.REST):
                self._store(response, address, partial, progress)
        if step is Step.AFRESH:
            partial.discard()
            return self._receive(session, address, partial, progress)
        kept = cast("SourceVersion", partial.version)
        return SourceVersion(kept.etag, kept.modified, partial.received)

    def _store(self, response: "Response", address: str, partial: PartialFile, progress: Progress) -> None:
        import urllib3

        total = partial.version and partial.version.bytes
        done = partial.received
        with partial.appending() as append:
            try:
                for chunk in cast("BaseHTTPResponse", response.raw).stream(CHUNK, decode_content=False):
                    if not done:
                        refuse_page(chunk, response.headers, address)
                    append(chunk)
                    done += len(chunk)
                    progress.received(len(chunk), done, total)
            except urllib3.exceptions.HTTPError as error:
                raise Interrupted(f"{interruption(error, address).cause} after {_count(done, total)}") from error
        if not done:
            raise DamagedFile(file_of(address), f"{public(address)} is empty", "Ask the source for the file again.")
        if total is not None and done != total:
            if done > total:
                partial.discard()
            raise Interrupted(f"the body ended after {_count(done, total)}")


def _rest_of(have: int, version: SourceVersion | None) -> dict[str, str]:
    """The headers that ask for what follows the first ``have`` bytes, provided that the file is still this version."""
    unchanged = version and validator(version)
    return {"Range": f"bytes={have}-", "If-Range": unchanged} if have and unchanged else {}


def _count(done: int, total: int | None) -> str:
    return f"{done:,} of {total:,} bytes" if total is not None else f"{done:,} bytes"
