"""Files from an HTTP server: their addresses, their versions, and downloads that are resumed after interruptions.

What an answer means is decided in ``answers``. Whether a complete file is a good one is not decided here.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, unquote, urlsplit

from taxi_platform.errors import DamagedFile, InvalidSetting, disk_errors
from taxi_platform.redaction import public
from taxi_platform.retries import DOWNLOAD, RetryPolicy
from taxi_platform.sources.answers import (
    Interrupted,
    continues,
    file_of,
    interruptions,
    refuse_failures,
    refuse_page,
    refuse_unframed,
    validator,
    version_of,
    with_retries,
)
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
PROGRESS_EVERY = 5.0  # seconds between two log lines of a long download
MIB = 1024 * 1024
_NO_HEAD = (403, 405, 501)  # answers of servers that only accept GET
_PLACEHOLDERS = ("{service}", "{month}")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


class HttpSource:
    """Trip files on an HTTP server, under addresses with ``{service}`` and ``{month}`` in their path.

    Credentials before the host (``https://user:password@host/…``) are kept apart, so that no address, message or
    record carries them. A query or fragment is refused: an address ends in the name of its file.

    Safe to share between threads: every call opens its own session.

    Args:
        template: the address of a trip file with placeholders.
        retries: how often and when to ask again.
        timeouts: seconds until a connection must stand, and for which the server may be silent.

    Raises:
        InvalidSetting: the template is not the address of a trip file; the message says why and what is valid.
    """

    asking_is_free = False

    def __init__(
        self, template: str, *, retries: RetryPolicy = DOWNLOAD, timeouts: tuple[float, float] = TIMEOUTS
    ) -> None:
        try:
            parts = urlsplit(template)
            problem = _problem(parts)
        except ValueError as error:  # the port is not a number, or a bracket is never closed
            raise _invalid(template, str(error)) from None
        if problem:
            raise _invalid(template, problem)
        user, _, self._host = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        self._credentials = (unquote(name), unquote(password)) if user else None
        self._template = f"{parts.scheme}://{self._host}{parts.path}"
        self._retries = retries
        self._timeouts = timeouts

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file."""
        return self._template.replace("{service}", service.name).replace("{month}", str(month))

    def zones(self) -> str:
        """Return the address of the zone lookup: the folder that all trip files share, and in it the file's name.

        Where every service has its own folder, the lookup is in their neighbour ``misc``, as in the course's
        release: ``…/download/{service}/…`` makes ``…/download/misc/taxi_zone_lookup.csv``.
        """
        segments = self._template.split("/")
        first = next(index for index, segment in enumerate(segments) if "{" in segment)
        folder = ["misc"] if segments[first] == "{service}" else []
        return "/".join([*segments[:first], *folder, zones.FILE])

    def version(self, address: str) -> SourceVersion:
        """Return what the server has under an address now, see ``Source.version``."""
        with self._session(address) as session:
            return with_retries(lambda: self._request_version(session, address), address, self._retries, silent=True)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Download a file to ``target``, see ``Source.fetch``.

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
            if urlsplit(address).netloc == self._host:
                session.auth = self._credentials
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
                refuse_failures(response, address)
                return version_of(response)
        with self._request(session, "GET", address, {"Range": "bytes=0-0"}) as response:
            refuse_failures(response, address, ranged=True)
            return version_of(response)

    def _receive(self, session: "Session", address: str, partial: "PartialFile") -> SourceVersion:
        received, version = partial.received, partial.version
        unchanged = version and validator(version)
        wanted = {"Range": f"bytes={received}-", "If-Range": unchanged} if received and unchanged else {}
        with self._request(session, "GET", address, wanted) as response:
            refuse_failures(response, address, ranged=bool(wanted))
            if response.status_code == 200:
                version = version_of(response)
                partial.start(version)
            elif not (version and continues(response, received, version)):
                partial.discard()
                version = None
            if version:
                return replace(version, bytes=self._store(response, address, partial))
        return self._receive(session, address, partial)  # from the first byte

    def _store(self, response: "Response", address: str, partial: "PartialFile") -> int:
        """Append an answer's body to what has arrived, check the length, and return it."""
        total = partial.version and partial.version.bytes
        if total is None:
            refuse_unframed(response.headers, address)
        of = f" of {total:,}" if total is not None else ""
        done = before = partial.received
        began = logged = time.monotonic()
        with partial.appending() as append, interruptions(address, after=lambda: f" after {done:,}{of} bytes"):
            for chunk in cast("BaseHTTPResponse", response.raw).stream(CHUNK, decode_content=False):
                if not done:
                    refuse_page(chunk, response.headers, address)
                append(chunk)
                done += len(chunk)
                if time.monotonic() - logged >= PROGRESS_EVERY:
                    logged = time.monotonic()
                    rate = (done - before) / MIB / (logged - began)
                    logger.info("%s: %s%s bytes, %.1f MiB/s", file_of(address), f"{done:,}", of, rate)
        if not done:
            raise DamagedFile(file_of(address), f"{public(address)} is empty", "Ask the source for the file again.")
        if total is not None and done != total:
            if done > total:
                partial.discard()
            raise Interrupted(f"the body ended after {done:,}{of} bytes")
        return done


def _problem(parts: SplitResult) -> str | None:
    """Return why this is not a template; raise a ``ValueError`` where the address cannot even be taken apart."""
    placeholders = _BRACES.findall(parts.path)
    unknown = sorted(set(placeholders) - set(_PLACEHOLDERS))
    missing = [placeholder for placeholder in _PLACEHOLDERS if placeholder not in placeholders]
    problems = [
        (parts.scheme not in ("http", "https"), "addresses begin with http:// or https://"),
        (not parts.hostname or parts.port == 0, "it names no host"),
        (any(map(str.isspace, parts.netloc + parts.path)), "it has a space in it"),
        (parts.query or parts.fragment, "nothing may follow the file's name: no ? and no #"),
        ("{" in parts.netloc, "the host must be the same for all files: placeholders stand in the path"),
        (unknown, f"the placeholder {''.join(unknown[:1])} is unknown"),
        (missing, f"the placeholder {''.join(missing[:1])} is missing"),
        (not parts.path.endswith((".csv.gz", ".csv")), "it must end in .csv.gz or .csv"),
    ]
    return next((problem for applies, problem in problems if applies), None)


def _invalid(template: str, problem: str) -> InvalidSetting:
    shown = re.sub(r":/+.*@", "://***@", template)  # a password may have a slash in it
    return InvalidSetting(
        f"TAXI_SOURCE={public(shown)}",
        problem,
        f"Write the address of a trip file with {{service}} and {{month}} instead of their values, e.g. {EXAMPLE}",
    )


def sidecar_of(target: Path) -> Path:
    """Return the sidecar file of a partial ``target``. Sources that do not resume must remove it before they write."""
    return target.with_name(target.name + ".partial.json")


class PartialFile:
    """The bytes of ``address`` that have arrived at ``target`` so far.

    A sidecar file says which address and version they are the beginning of; without one they are worth nothing.
    Every method that touches the disk raises ``StorageFull`` if that fails.

    Attributes:
        version: which version of the file the bytes belong to; None if nothing usable is there.
    """

    def __init__(self, target: Path, address: str) -> None:
        self._target = target
        self._address = address
        self._sidecar = sidecar_of(target)
        with disk_errors(target):
            self.version = self._read_sidecar()
        if self.version is None or self.received > (self.version.bytes or self.received):
            self.discard()

    @property
    def received(self) -> int:
        """How many bytes have arrived."""
        with disk_errors(self._target):
            return self._target.stat().st_size if self._target.exists() else 0

    def start(self, version: SourceVersion) -> None:
        """Begin again, with nothing, to receive this version."""
        self.discard()
        self.version = version
        with disk_errors(self._target):
            self._target.touch()
            # The bytes come after the sidecar file: if the process dies here, it correctly describes an empty file.
            if validator(version):
                self._sidecar.write_text(json.dumps({"address": self._address, **asdict(version)}))

    @contextmanager
    def appending(self) -> Generator[Callable[[bytes], None]]:
        """Yield a function that adds bytes at the end, unbuffered: they outlive a process that is killed."""
        with disk_errors(self._target):
            file = self._target.open("ab", buffering=0)

        def append(data: bytes) -> None:
            with disk_errors(self._target):
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]

        try:
            yield append
        finally:
            with disk_errors(self._target):  # network file systems report a full disk only here
                file.close()

    def discard(self) -> None:
        """Delete what has arrived."""
        self.version = None
        with disk_errors(self._target):
            self._sidecar.unlink(missing_ok=True)  # first, so that it never describes other bytes
            self._target.unlink(missing_ok=True)

    def complete(self) -> None:
        """Remove the sidecar file, because the file is whole."""
        with disk_errors(self._target):
            self._sidecar.unlink(missing_ok=True)

    def _read_sidecar(self) -> SourceVersion | None:
        try:
            facts = json.loads(self._sidecar.read_bytes())
            if facts.pop("address") == self._address:
                return SourceVersion(**facts)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            pass  # there is none, or it was cut off while it was written
        return None
