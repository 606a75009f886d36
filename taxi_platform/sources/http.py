"""Files from an HTTP server: their addresses, their versions, and downloads that are resumed after interruptions.

The TLC's server belongs here too, and the default source, which gets from it what the course's release lacks. What a
response means is decided in ``responses``; a complete file is verified in ``cache``.
"""

import json
import logging
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from taxi_platform.errors import DamagedFile, InvalidSetting, disk_errors
from taxi_platform.redaction import public
from taxi_platform.retries import DOWNLOAD, RetryPolicy
from taxi_platform.sources.responses import (
    NOT_PUBLISHED,
    continues,
    file_of,
    refuse_failures,
    transport_errors,
    unreachable,
    validator,
    version_of,
)
from taxi_platform.trips import zones
from taxi_platform.trips.files import SourceVersion, edition_of
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

if TYPE_CHECKING:
    from requests import Response, Session
    from urllib3.response import BaseHTTPResponse

logger = logging.getLogger(__name__)

EXAMPLE = "https://host/{service}/{service}_tripdata_{month}.csv.gz"
CHUNK = 64 * 1024  # bytes received at once: what a killed process or a reset connection loses at most
TIMEOUTS = (10.0, 60.0)  # seconds to wait for a connection, and for the next bytes of a response
SHORT_TIMEOUTS = (5.0, 8.0)
PROGRESS_EVERY = 5.0  # seconds between two log lines of a long download
_NO_HEAD = (403, 405, 501)  # from servers that only accept GET
TLC = "https://d37ci6vzurychx.cloudfront.net/trip-data/{service}_tripdata_{month}.parquet"
_PATH = re.compile(r"/(?=.*\{service\})(?=.*\{month\})(?:[^\s{}]|\{service\}|\{month\})*\.(csv|csv\.gz|parquet)")


class HttpSource:
    """Trip files on an HTTP server, under addresses with ``{service}`` and ``{month}`` in their path.

    Credentials before the host (``https://user:password@host/…``) are kept apart, so that no address, message or
    record carries them. A query or fragment is refused: an address ends in the name of its file.

    Safe to share between threads: every call opens its own session.

    Args:
        template: the address of a trip file with placeholders; the attribute is the same without credentials.
        retries: how often and when to ask again.
        timeouts: seconds to wait for a connection, and for the next bytes of a response.

    Raises:
        InvalidSetting: the template is not the address of a trip file; the message says what is valid.
    """

    asking_is_free = False

    def __init__(
        self, template: str, *, retries: RetryPolicy = DOWNLOAD, timeouts: tuple[float, float] = TIMEOUTS
    ) -> None:
        _refuse_invalid(template)
        parts = urlsplit(template)
        user, _, host = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        self._credentials = (unquote(name), unquote(password)) if user else None
        self.template = f"{parts.scheme}://{host}{parts.path}"
        self._retries = retries
        self._timeouts = timeouts

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file."""
        return self.template.replace("{service}", service.name).replace("{month}", str(month))

    def zones(self) -> str:
        """Return the address of the zone lookup: the folder that all trip files share, and in it the file's name.

        Where every service has its own folder, the lookup is in their neighbour ``misc``, as in the course's
        release: ``…/download/{service}/…`` makes ``…/download/misc/taxi_zone_lookup.csv``.
        """
        segments = self.template.split("/")
        first = next(index for index, segment in enumerate(segments) if "{" in segment)
        folder = ["misc"] if segments[first] == "{service}" else []
        return "/".join([*segments[:first], *folder, zones.FILE])

    def not_published(self, address: str) -> tuple[int, ...]:
        """Return the statuses with which the server says that it does not have a file."""
        return NOT_PUBLISHED

    def version(self, address: str) -> SourceVersion:
        """Return what the server has under an address now, see ``Source.version``."""
        with self._session() as session:
            ask = partial(self._request_version, session, address)
            return self._retries.run(ask, subject=file_of(address), silent=True)

    def fetch(self, address: str, target: Path) -> SourceVersion:
        """Download a file to ``target``, see ``Source.fetch``.

        Bytes that an earlier call left there, even in a process that was killed, are continued if the server still
        has the same version. After a failure they stay for the next call.
        """
        part = PartialFile(target, public(address))
        with self._session() as session:
            version = self._retries.run(partial(self._receive, session, address, part), subject=file_of(address))
        part.complete()
        return version

    @contextmanager
    def _session(self) -> "Generator[Session]":
        import requests  # takes long to import, and is not needed to load the definitions

        with requests.Session() as session:
            session.headers["Accept-Encoding"] = "identity"
            session.auth = self._credentials
            yield session

    @contextmanager
    def _request(
        self, session: "Session", method: str, address: str, headers: Mapping[str, str]
    ) -> "Generator[Response]":
        with transport_errors(address):
            response = session.request(method, address, headers=headers, stream=True, timeout=self._timeouts)
        with response:
            yield response

    def _request_version(self, session: "Session", address: str) -> SourceVersion:
        with self._request(session, "HEAD", address, {}) as response:
            if response.status_code not in _NO_HEAD:
                refuse_failures(response, address, self.not_published(address))
                return version_of(response)
        with self._request(session, "GET", address, {"Range": "bytes=0-0"}) as response:
            refuse_failures(response, address, self.not_published(address), ranged=True)
            return version_of(response)

    def _receive(self, session: "Session", address: str, part: "PartialFile") -> SourceVersion:
        received, version = part.received, part.version
        unchanged = version and validator(version)
        wanted = {"Range": f"bytes={received}-", "If-Range": unchanged} if received and unchanged else {}
        with self._request(session, "GET", address, wanted) as response:
            refuse_failures(response, address, self.not_published(address), ranged=bool(wanted))
            if response.status_code == 200:
                version = version_of(response)
                part.start(version)
            elif not (version and continues(response, received, version)):
                part.discard()
                return self._receive(session, address, part)  # from the first byte
            return replace(version, bytes=_store(response, address, part))


class TlcSource(HttpSource):
    """The files on the TLC's server, which answers 403 for every month that it has not published (yet)."""

    def not_published(self, address: str) -> tuple[int, ...]:
        """Return the statuses with which the server says that it does not have a file."""
        return (403, *NOT_PUBLISHED)

    def zones(self) -> str:
        """Return the address of the zone lookup, which is in a folder beside that of the trips."""
        return f"{self.template.rsplit('/', 2)[0]}/misc/{zones.FILE}"


class CourseThenTlc(HttpSource):
    """The course's release for the months that it has, according to the contracts, and the TLC's files of all others.

    Each month comes from one of the two, and is never looked for in both. The zone lookup is the course's, because the
    TLC's has other names for the unknown zones 264 and 265.
    """

    def __init__(self, template: str, tlc: TlcSource, **how: Any) -> None:
        super().__init__(template, **how)
        self._tlc = tlc

    def trips(self, service: Service, month: Month) -> str:
        """Return the address of a month's file."""
        is_released = service.released_until is not None and month <= service.released_until
        return (super() if is_released else self._tlc).trips(service, month)

    def not_published(self, address: str) -> tuple[int, ...]:
        """Return the statuses with which the file's server says that it does not have it."""
        return (self._tlc if edition_of(address) == "parquet" else super()).not_published(address)


def _store(response: "Response", address: str, part: "PartialFile") -> int:
    """Append a response's body to the partial file and return its checked size."""
    total = part.version and part.version.bytes
    if total is None and response.headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise DamagedFile(
            file_of(address),
            f"{public(address)} comes without Content-Length and not in chunks, so it could be cut off unnoticed",
            "Use a server that sends the length, or download the file into a folder and set TAXI_SOURCE to it.",
        )
    progress = f"bytes of {total:,}" if total is not None else "bytes"
    done, logged = part.received, time.monotonic()
    with disk_errors(part.path), transport_errors(address), part.path.open("ab") as file:
        for chunk in cast("BaseHTTPResponse", response.raw).stream(CHUNK, decode_content=False):
            done += file.write(chunk)
            file.flush()  # so that it outlives a process that is killed
            if time.monotonic() - logged >= PROGRESS_EVERY:
                logged = time.monotonic()
                logger.info("%s: %s %s", file_of(address), f"{done:,}", progress)
    if total is not None and done != total:
        raise unreachable(address, f"the body ended after {done:,} {progress}")
    return done


def _refuse_invalid(template: str) -> None:
    """Raise ``InvalidSetting`` unless this is the address of a trip file with its placeholders."""
    try:
        parts = urlsplit(template)
        valid = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and parts.port != 0
            and not re.search(r"[\s{}]", parts.netloc)
            and _PATH.fullmatch(parts.path)
            and not (parts.query or parts.fragment)
        )
    except ValueError:  # the port is not a number, or a bracket is never closed
        valid = False
    if not valid:
        shown = re.sub(r":/+.*@", "://***@", template)  # a password may have a slash in it
        raise InvalidSetting(
            f"TAXI_SOURCE={public(shown)}",
            "it is not the address of a trip file: http:// or https://, a host, a path with {service} and {month} and "
            "no other braces, which ends in .csv.gz, .csv or .parquet, and nothing after it: no ? and no #",
            f"Write an address such as {EXAMPLE}",
        )


def sidecar_of(target: Path) -> Path:
    """Return the sidecar file of a partial ``target``. Sources that do not resume must remove it before they write."""
    return target.with_name(target.name + ".partial.json")


class PartialFile:
    """The bytes of ``address`` that have arrived at ``path`` so far.

    A sidecar file says which address and version they belong to; without one they cannot be continued, and
    ``version`` is None. Every method raises ``StorageFull`` if the disk cannot be written.
    """

    def __init__(self, path: Path, address: str) -> None:
        self.path, self._address, self._sidecar = path, address, sidecar_of(path)
        self.version: SourceVersion | None = None
        try:
            facts = json.loads(self._sidecar.read_bytes())
            if facts.pop("address") == address:
                self.version = SourceVersion(**facts)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            pass  # it is missing, or was cut off while it was written

    @property
    def received(self) -> int:
        """How many usable bytes have arrived."""
        return self.path.stat().st_size if self.version and self.path.exists() else 0

    def start(self, version: SourceVersion) -> None:
        """Begin again, with nothing, to receive this version."""
        self.discard()
        self.version = version
        with disk_errors(self.path):
            self.path.touch()
            # The bytes come after the sidecar file: if the process dies here, it correctly describes an empty file.
            if validator(version):
                self._sidecar.write_text(json.dumps({"address": self._address, **asdict(version)}))

    def discard(self) -> None:
        """Delete what has arrived."""
        self.version = None
        with disk_errors(self.path):
            self._sidecar.unlink(missing_ok=True)  # first, so that it never describes other bytes
            self.path.unlink(missing_ok=True)

    def complete(self) -> None:
        """Remove the sidecar file, because the file is whole."""
        with disk_errors(self.path):
            self._sidecar.unlink(missing_ok=True)
