"""Files from an HTTP server: their addresses, their versions, and downloads that are resumed after interruptions.

What an answer means is decided in ``answers``, and what has arrived is kept by ``partial``. Whether a complete file is
a good one is not decided here.
"""

import logging
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, unquote, urlsplit

from taxi_platform.errors import DamagedFile, InvalidSetting
from taxi_platform.retries import DOWNLOAD, RetryPolicy
from taxi_platform.sources.answers import (
    Interrupted,
    Step,
    file_of,
    interruptions,
    next_step,
    public,
    refuse_encoding,
    refuse_failures,
    refuse_page,
    version_of,
    with_retries,
)
from taxi_platform.sources.partial import PartialFile, validator
from taxi_platform.trips import zones
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from requests import Response, Session
    from urllib3.response import BaseHTTPResponse

logger = logging.getLogger(__name__)

EXAMPLE = "https://host/{service}/{service}_tripdata_{month}.csv.gz"
CHUNK = 64 * 1024  # bytes received at once: what a killed process or a reset connection loses at most
TIMEOUTS = (10.0, 60.0)  # seconds until a connection must stand, and for which the server may be silent
SHORT_TIMEOUTS = (5.0, 8.0)
MIB = 1024 * 1024
_NO_HEAD = (403, 405, 501)  # answers of servers, and of signed addresses, that take GET alone
_PLACEHOLDERS = ("{service}", "{month}")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


class AddressTemplate:
    """The addresses that a ``TAXI_SOURCE`` with ``{service}`` and ``{month}`` in its path stands for.

    Credentials before the host (``https://user:password@host/…``) are kept apart, so that no address, message or
    record carries them. A query or fragment is refused: an address ends in the name of its file.

    Attributes:
        credentials: user and password, if the template has them.
        host: the host, with its port, that the credentials are for.

    Raises:
        InvalidSetting: the template is not the address of a trip file; the message says why and what is valid.
    """

    def __init__(self, template: str) -> None:
        try:
            parts = urlsplit(template)
            problem = _problem(parts)
        except ValueError as error:  # the port is not a number, or a bracket is never closed
            raise _invalid(template, str(error)) from None
        if problem:
            raise _invalid(template, problem)
        user, _, self.host = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        self.credentials = (unquote(name), unquote(password)) if user else None
        self._template = f"{parts.scheme}://{self.host}{parts.path}"

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file."""
        return self._template.replace("{service}", service.name).replace("{month}", str(month))

    def zones(self) -> str:
        """Return the address of the zone lookup: the folder that all trip files share, and in it the file's name.

        Where every service has a folder of its own, the lookup is in their neighbour ``misc``, as in the course's
        release: ``…/download/{service}/…`` makes ``…/download/misc/taxi_zone_lookup.csv``.
        """
        segments = self._template.split("/")
        first = next(index for index, segment in enumerate(segments) if "{" in segment)
        folder = ["misc"] if segments[first] == "{service}" else []
        return "/".join([*segments[:first], *folder, zones.FILE])


def _problem(parts: SplitResult) -> str | None:
    """Return why this is not a template; raise a ``ValueError`` where the address cannot even be taken apart."""
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme}:// is not supported; addresses begin with http:// or https://"
    if not parts.hostname or parts.port == 0:
        return "it names no host"
    if any(character.isspace() for character in parts.netloc + parts.path):
        return "it has a space in it"
    if parts.query or parts.fragment:
        return "nothing may follow the file's name: no ? and no #"
    if "{" in parts.netloc:
        return "the host must be the same for all files: placeholders stand in the path"
    unknown = sorted(set(_BRACES.findall(parts.path)) - set(_PLACEHOLDERS))
    if unknown:
        return f"the placeholder {unknown[0]} is unknown"
    missing = [placeholder for placeholder in _PLACEHOLDERS if placeholder not in parts.path]
    if missing:
        return f"the placeholder {missing[0]} is missing"
    if not parts.path.endswith((".csv.gz", ".csv")):
        return "it must end in .csv.gz or .csv"
    return None


def _invalid(template: str, problem: str) -> InvalidSetting:
    shown = re.sub(r"://.*@", "://***@", template)
    return InvalidSetting(
        f"TAXI_SOURCE={shown}",
        problem,
        f"Write the address of a trip file with {{service}} and {{month}} in place of their values, e.g. {EXAMPLE}",
    )


class HttpSource:
    """Trip files on an HTTP server, under addresses made from a template.

    Safe to share between threads: every call opens a session of its own.

    Args:
        template: as ``AddressTemplate`` has it.
        retries: how often and when to ask again.
        timeouts: seconds until a connection must stand, and for which the server may be silent.
        progress_every: seconds between two lines of progress.

    Raises:
        InvalidSetting: the template is not the address of a trip file.
    """

    asking_is_free = False

    def __init__(
        self,
        template: str,
        *,
        retries: RetryPolicy = DOWNLOAD,
        timeouts: tuple[float, float] = TIMEOUTS,
        progress_every: float = 5.0,
    ) -> None:
        self._template = AddressTemplate(template)
        self._retries = retries
        self._timeouts = timeouts
        self._progress_every = progress_every

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file."""
        return self._template.trips(service, month)

    def zones(self) -> str:
        """Return the address of the zone lookup."""
        return self._template.zones()

    def version(self, address: str) -> SourceVersion:
        """Return what the server has under an address now, as ``Source.version`` promises."""
        with self._session(address) as session:
            return with_retries(lambda: self._request_version(session, address), address, self._retries, silent=True)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Download a file to ``target``, as ``Source.fetch`` promises.

        Bytes that an earlier call left there, even in a process that was killed, are continued if the server still
        has the same version. After a failure they stay for the next call.
        """
        partial = PartialFile(target, public(address))
        with self._session(address) as session:
            version = with_retries(lambda: self._receive(session, address, partial), address, self._retries)
        partial.complete()
        return version

    @contextmanager
    def _session(self, address: str) -> "Generator[Session]":
        import requests  # takes long to import, and is not needed to load the definitions

        with requests.Session() as session:
            session.headers["Accept-Encoding"] = "identity"
            if urlsplit(address).netloc == self._template.host:
                session.auth = self._template.credentials
            yield session

    @contextmanager
    def _request(
        self, session: "Session", method: str, address: str, headers: Mapping[str, str]
    ) -> "Generator[Response]":
        with interruptions(address):
            response = session.request(method, address, headers=headers, stream=True, timeout=self._timeouts)
        with response:
            yield response

    def _request_version(self, session: "Session", address: str) -> SourceVersion:
        with self._request(session, "HEAD", address, {}) as response:
            if response.status_code not in _NO_HEAD:
                refuse_failures(response.status_code, response.reason, response.headers, address, ranged=False)
                return version_of(response.status_code, response.headers)
        with self._request(session, "GET", address, {"Range": "bytes=0-0"}) as response:
            refuse_failures(response.status_code, response.reason, response.headers, address, ranged=True)
            return version_of(response.status_code, response.headers)

    def _receive(self, session: "Session", address: str, partial: PartialFile) -> SourceVersion:
        have, kept = partial.received, partial.version
        unchanged = kept and validator(kept)
        wanted = {"Range": f"bytes={have}-", "If-Range": unchanged} if have and unchanged else {}
        with self._request(session, "GET", address, wanted) as response:
            headers = response.headers
            refuse_failures(response.status_code, response.reason, headers, address, ranged=bool(wanted))
            step = next_step(response.status_code, headers, have, kept)
            if step is Step.WHOLE:
                refuse_encoding(headers, address)
                partial.start(version_of(response.status_code, headers))
            if step in (Step.WHOLE, Step.REST):
                self._store(response, address, partial)
        if step is Step.AFRESH:
            partial.discard()
            return self._receive(session, address, partial)
        version = cast("SourceVersion", partial.version)
        return SourceVersion(version.etag, version.modified, partial.received)

    def _store(self, response: "Response", address: str, partial: PartialFile) -> None:
        """Append an answer's body to what has arrived, and check the length."""
        total = partial.version and partial.version.bytes
        progress = _Progress(file_of(address), partial.received, total, self._progress_every)
        with partial.appending() as append, interruptions(address, after=lambda: f" after {progress}"):
            for chunk in cast("BaseHTTPResponse", response.raw).stream(CHUNK, decode_content=False):
                if not progress.done:
                    refuse_page(chunk, response.headers, address)
                append(chunk)
                progress.add(len(chunk))
        if not progress.done:
            raise DamagedFile(file_of(address), f"{public(address)} is empty", "Ask the source for the file again.")
        if total is not None and progress.done != total:
            if progress.done > total:
                partial.discard()
            raise Interrupted(f"the body ended after {progress}")


class _Progress:
    """How far a file has arrived; logs that a long download is alive, at most once in ``every`` seconds."""

    def __init__(self, name: str, done: int, total: int | None, every: float) -> None:
        self.done = done
        self._name = name
        self._total = total
        self._every = every
        self._began = self._logged = time.monotonic()
        self._had = done

    def add(self, size: int) -> None:
        self.done += size
        now = time.monotonic()
        if now - self._logged < self._every:
            return
        self._logged = now
        of = f" of {self._total / MIB:,.1f}" if self._total is not None else ""
        rate = (self.done - self._had) / MIB / (now - self._began)
        logger.info("%s: %s%s MiB, %s MiB/s", self._name, f"{self.done / MIB:,.1f}", of, f"{rate:,.1f}")

    def __str__(self) -> str:
        return f"{self.done:,} of {self._total:,} bytes" if self._total is not None else f"{self.done:,} bytes"
