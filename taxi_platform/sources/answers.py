"""The meaning of what a server answers, or fails to answer, and addresses as they may be shown to people.

Nothing here sends a request or writes a file.
"""

import re
import socket
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from http import HTTPStatus
from http.client import RemoteDisconnected
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import urlsplit

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished, SourceUnreachable
from taxi_platform.retries import RetryPolicy
from taxi_platform.sources.partial import validator
from taxi_platform.trips.files import SourceVersion

Result = TypeVar("Result")

_TRANSIENT = (408, 425, 429)  # besides all of 500 and above
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", re.ASCII | re.IGNORECASE)


def public(address: str) -> str:
    """Return the address without what may be secret: the credentials before its host, its query and its fragment."""
    return re.split(r"[?#]", re.sub(r"//[^/]*@", "//***@", address, count=1), maxsplit=1)[0]


def file_of(address: str) -> str:
    """Return the name of the file under an address, by which messages call it."""
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
    """Raise ``Interrupted`` in place of every failure of the transport.

    Args:
        address: what is asked for.
        after: how far the answer had come, for the message.
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
        )  # an address that cannot be one is a ValueError, too
        raise Interrupted(f"{proxy}{_cause(causes)} ({host}){after()}", transient=not lasting) from error


def _cause(causes: list[BaseException]) -> str:
    """Return what a chain of exceptions, outermost first, says to a person."""
    import requests
    import urllib3.exceptions as broken

    words: list[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = [
        (ssl.SSLCertVerificationError, "the server's TLS certificate is not trusted"),
        (socket.gaierror, "the host's name cannot be resolved"),
        (ConnectionRefusedError, "connection refused, nothing listens there"),
        (RemoteDisconnected, "the server closed the connection without an answer"),
        ((ConnectionResetError, BrokenPipeError), "the server reset the connection"),
        (broken.ConnectTimeoutError, "timed out, no connection came about"),
        ((broken.ReadTimeoutError, TimeoutError), "timed out, the server fell silent"),
        (broken.IncompleteRead, "the connection was cut off"),
        (ssl.SSLError, "the TLS connection failed"),
        (requests.TooManyRedirects, "the server redirects without end"),
    ]
    for kind, text in words:
        if any(isinstance(cause, kind) for cause in causes):
            return text
    reasons = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return reasons[-1].lower() if reasons else public(str(causes[0]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


# Statuses and headers


def refuse_failures(status: int, reason: str, headers: Mapping[str, str], address: str, *, ranged: bool) -> None:
    """Pass an answer that brings bytes, and raise what any other means.

    Args:
        status: the status code.
        reason: the phrase that came with it.
        headers: the answer's headers.
        address: what was asked for.
        ranged: a part was asked for, so that 206 and 416 are answers too.

    Raises:
        NotPublished: 404 or 410.
        AccessDenied: every other answer that blames the request.
        Interrupted: an answer that will pass, such as 429 or 503.
        DamagedFile: something else came instead of the file.
    """
    if status == 200 or (ranged and status in (206, 416)):
        return
    name, answer = file_of(address), f"{status} {reason or _phrase(status)}".strip()
    what = f"{public(address)} answers {answer}"
    if status in (404, 410):
        raise NotPublished(name, what, "The source does not have this file: choose another month or TAXI_SOURCE.")
    if status in _TRANSIENT or status >= 500:
        raise Interrupted(f"the server answers {answer}", retry_after(headers))
    if status >= 400:
        raise AccessDenied(
            name, what, "Check the address, or put credentials into it: TAXI_SOURCE=https://user:password@host/…"
        )
    raise DamagedFile(name, f"{what} in place of the file", "Check the address in TAXI_SOURCE.")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, written as a number or as a date; None if it says nothing.

    A date is measured from the server's own ``Date``, which its clock wrote too; without one, from ``now``.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _moment(text)
    since = _moment(headers.get("Date", "")) or now or datetime.now(timezone.utc)
    return max(0.0, (until - since).total_seconds()) if until else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def refuse_encoding(headers: Mapping[str, str], address: str) -> None:
    """Refuse a body that was compressed for the transfer, which nobody asked for.

    Some servers call a ``.csv.gz`` encoded and send it as it is, which is what we want.

    Raises:
        DamagedFile: a ``.csv`` arrives encoded, so that its bytes are not the file's.
    """
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("", "identity") and not urlsplit(address).path.endswith(".gz"):
        raise DamagedFile(
            file_of(address),
            f"{public(address)} comes with Content-Encoding: {encoding}, though identity was asked for",
            "Publish the file without it, or as .csv.gz.",
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
            f"in place of the file; it begins with {start[:60]!r}",
            "Open the address in a browser to see what it says, and correct TAXI_SOURCE.",
        )


# Versions, and what to do with an answer when a part of the file is there already


class Step(Enum):
    """What to do with an answer to a request that may have asked for the rest of a file."""

    WHOLE = auto()  # the body is the file from its first byte
    REST = auto()  # the body is what is missing
    COMPLETE = auto()  # nothing was missing
    AFRESH = auto()  # what has arrived does not fit: throw it away and ask for the whole


def content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the first byte of the body and the size of the whole file, as far as ``Content-Range`` has them."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    return (int(match[1]) if match[1] else None), (int(match[2]) if match[2] != "*" else None)


def version_of(status: int, headers: Mapping[str, str]) -> SourceVersion:
    """Return the version of the file that an answer is about."""
    length = headers.get("Content-Length", "").strip()
    size = int(length) if length.isascii() and length.isdigit() else None
    if status in (206, 416):
        size = content_range(headers)[1]
    return SourceVersion(headers.get("ETag"), headers.get("Last-Modified"), size)


def same_version(kept: SourceVersion, sent: SourceVersion) -> bool:
    """Return whether nothing that both sides report differs; a strong ETag outweighs the date."""
    if kept.bytes is not None and sent.bytes is not None and kept.bytes != sent.bytes:
        return False
    if kept.etag and sent.etag:
        if kept.etag != sent.etag:
            return False
        if validator(kept) == kept.etag:
            return True
    return not (kept.modified and sent.modified) or kept.modified == sent.modified


def next_step(status: int, headers: Mapping[str, str], have: int, kept: SourceVersion | None) -> Step:
    """Return what an answer is good for, when ``have`` bytes of the version ``kept`` are there already.

    Only for answers that ``refuse_failures`` lets through.
    """
    if status not in (206, 416):
        return Step.WHOLE
    sent = version_of(status, headers)
    if kept is None or not same_version(kept, sent):
        return Step.AFRESH
    if status == 416:
        return Step.COMPLETE if have == kept.bytes == sent.bytes else Step.AFRESH
    return Step.REST if content_range(headers)[0] == have else Step.AFRESH
