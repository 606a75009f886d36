"""The meaning of what a server answers, or fails to answer. Nothing here sends a request or writes a file."""

import re
import socket
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import RemoteDisconnected
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished, SourceUnreachable
from taxi_platform.redaction import public
from taxi_platform.retries import RetryPolicy
from taxi_platform.trips.files import SourceVersion

if TYPE_CHECKING:
    from requests import Response

Result = TypeVar("Result")

_TRANSIENT = (408, 425, 429)  # besides all of 500 and above
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII | re.IGNORECASE)


def file_of(address: str) -> str:
    """Return the name of the file under an address, for messages."""
    return PurePosixPath(urlsplit(address).path).name or public(address)


# Failures that another attempt may overcome


class Interrupted(Exception):
    """One attempt failed.

    Args:
        cause: what happened, as a clause.
        retry_after: the seconds for which the server asks to be left alone, if it does.
        transient: whether another attempt may succeed.
    """

    def __init__(self, cause: str, retry_after: float | None = None, *, transient: bool = True) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry_after = retry_after
        self.transient = transient


def with_retries(attempt: Callable[[], Result], address: str, retries: RetryPolicy, *, silent: bool = False) -> Result:
    """Return the result of the first attempt that is not ``Interrupted``.

    Raises:
        SourceUnreachable: the last attempt was interrupted as well.
    """
    attempts = 0

    def counted() -> Result:
        nonlocal attempts
        attempts += 1
        return attempt()

    try:
        return retries.run(counted, subject=file_of(address), silent=silent)
    except Interrupted as failure:
        alone = "" if retries.obeys(failure) else f" and asks to be left alone for {failure.retry_after:,.0f} s"
        error = SourceUnreachable(
            file_of(address),
            f"{public(address)} could not be read, after {attempts} attempt{'s' * (attempts > 1)}: "
            f"{failure.cause}{alone}",
            "Check the connection and TAXI_SOURCE, and try again later; a download is resumed where it stopped.",
        )
        error.retry_after = failure.retry_after
        raise error from failure


@contextmanager
def interruptions(address: str, after: Callable[[], str] = str) -> Generator[None]:
    """Raise ``Interrupted`` instead of every failure of the transport.

    Args:
        address: what is requested.
        after: how much of the answer had arrived, for the message.
    """
    import requests
    import urllib3

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        causes = list(_chain(error))
        host = urlsplit(address).netloc.rpartition("@")[2]
        proxy = "the proxy fails: " if isinstance(error, requests.exceptions.ProxyError) else ""
        lasting = isinstance(error, (requests.TooManyRedirects, ValueError)) or any(
            isinstance(cause, ssl.SSLCertVerificationError) for cause in causes
        )  # an address that is not valid is a ValueError, too
        raise Interrupted(f"{proxy}{_cause(causes)} ({host}){after()}", transient=not lasting) from error


def _cause(causes: list[BaseException]) -> str:
    """Explain a chain of exceptions, outermost first, to a person."""
    import requests
    import urllib3.exceptions as broken

    words: list[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = [
        (ssl.SSLCertVerificationError, "the server's TLS certificate is not trusted"),
        (socket.gaierror, "the host's name cannot be resolved"),
        (ConnectionRefusedError, "connection refused, nothing listens there"),
        (RemoteDisconnected, "the server closed the connection without an answer"),
        ((ConnectionResetError, BrokenPipeError), "the server reset the connection"),
        (broken.ConnectTimeoutError, "timed out, no connection was made"),
        ((broken.ReadTimeoutError, TimeoutError), "timed out, the server stopped sending"),
        (broken.IncompleteRead, "the connection was cut off"),
        (ssl.SSLError, "the TLS connection failed"),
        (requests.TooManyRedirects, "the server redirects without end"),
    ]
    for kind, text in words:
        if any(isinstance(cause, kind) for cause in causes):
            return text
    reasons = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return reasons[-1].lower() if reasons else type(causes[0]).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# Statuses and headers


def refuse_failures(response: "Response", address: str, *, ranged: bool = False) -> None:
    """Accept an answer that brings bytes, and raise the error that any other stands for.

    Args:
        response: the answer.
        address: what was requested.
        ranged: whether a part was requested, so that 206 and 416 are answers too.

    Raises:
        NotPublished: 404 or 410.
        AccessDenied: every other answer that blames the request.
        Interrupted: an answer that is temporary, such as 429 or 503.
        DamagedFile: something else came instead of the file.
    """
    status = response.status_code
    if status == 200 or (ranged and status in (206, 416)):
        return
    name, answer = file_of(address), f"{status} {response.reason or _phrase(status)}".strip()
    what = f"{public(address)} answers {answer}"
    if status in (404, 410):
        raise NotPublished(name, what, "The source does not have this file: choose another month or TAXI_SOURCE.")
    if status in _TRANSIENT or status >= 500:
        raise Interrupted(f"the server answers {answer}", _retry_after(response.headers))
    if status >= 400:
        raise AccessDenied(
            name, what, "Check the address, or put credentials into it: TAXI_SOURCE=https://user:password@host/…"
        )
    raise DamagedFile(name, f"{what} instead of the file", "Check the address in TAXI_SOURCE.")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, a number or a date; None if it is missing or wrong."""
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    try:
        return Retry().parse_retry_after(headers["Retry-After"])
    except (KeyError, InvalidHeader, ValueError, OverflowError):
        return None


def refuse_unframed(headers: Mapping[str, str], address: str) -> None:
    """Refuse a body whose end nothing marks but the end of the connection, because a cut would not be noticed.

    Raises:
        DamagedFile: the answer has neither a length nor chunks.
    """
    if headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise DamagedFile(
            file_of(address),
            f"{public(address)} comes without Content-Length and not in chunks, so that a cut would not be noticed",
            "Use a server that sends the length, or download the file into a folder and set TAXI_SOURCE to it.",
        )


def refuse_page(start: bytes, headers: Mapping[str, str], address: str) -> None:
    """Refuse a web page instead of the file: a log-in, a consent form, an error with status 200.

    The bytes decide, not ``Content-Type``, which careless servers get wrong for files too.

    Raises:
        DamagedFile: the body begins as a page does.
    """
    if start.lstrip()[:1] == b"<":
        raise DamagedFile(
            file_of(address),
            f"{public(address)} answers with a web page ({headers.get('Content-Type', 'of no type')}) "
            "instead of the file",
            "Open the address in a browser to see what it says, and correct TAXI_SOURCE.",
        )


# Versions


def version_of(response: "Response") -> SourceVersion:
    """Return the version of the file that an answer is about."""
    headers = response.headers
    length = headers.get("Content-Length", "").strip()
    size = int(length) if length.isascii() and length.isdigit() else None
    if response.status_code == 206:
        size = _content_range(headers)[1]
    return SourceVersion(headers.get("ETag"), headers.get("Last-Modified"), size)


def validator(version: SourceVersion) -> str | None:
    """Return the header value that identifies this version to its server: a strong ETag, else the date."""
    if version.etag and not version.etag.startswith("W/"):
        return version.etag
    return version.modified


def continues(response: "Response", received: int, version: SourceVersion) -> bool:
    """Return whether an answer's body follows the ``received`` bytes of this version. Some servers ignore If-Range."""
    sent = version_of(response)
    return (
        response.status_code == 206
        and _content_range(response.headers)[0] == received
        and (None in (sent.bytes, version.bytes) or sent.bytes == version.bytes)
        and (not sent.etag or sent.etag == version.etag)
        and (not sent.modified or sent.modified == version.modified)
    )


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the first byte of the body and the size of the whole file, as far as ``Content-Range`` has them."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    return (int(match[1]), int(match[2]) if match[2] != "*" else None) if match else (None, None)
