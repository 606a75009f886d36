"""What a server's answer, or the want of one, means for a download. Nothing here asks a server or writes a file."""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from http import HTTPStatus
from http.client import RemoteDisconnected
from urllib.parse import urlsplit

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished
from taxi_platform.sources.http.addresses import file_of, public
from taxi_platform.sources.http.retries import Interrupted, retry_after
from taxi_platform.sources.partial import validator
from taxi_platform.trips.files import SourceVersion

_PASSING = (408, 425, 429)  # besides all of 500 and above
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", re.ASCII | re.IGNORECASE)


class Step(Enum):
    """What to do with an answer to a request that may have asked for the rest of a file."""

    WHOLE = auto()  # the body is the file from its first byte
    REST = auto()  # the body is what is missing
    COMPLETE = auto()  # nothing was missing
    AFRESH = auto()  # what has arrived does not fit: throw it away and ask for the whole


def content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """The first byte that the body has, and the size of the whole file, as far as ``Content-Range`` tells."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    return (int(match[1]) if match[1] else None), (int(match[2]) if match[2] != "*" else None)


def version_of(status: int, headers: Mapping[str, str]) -> SourceVersion:
    """The version of the file that an answer speaks of."""
    length = headers.get("Content-Length", "").strip()
    size = int(length) if length.isascii() and length.isdigit() else None
    if status in (206, 416):
        size = content_range(headers)[1]
    return SourceVersion(headers.get("ETag"), headers.get("Last-Modified"), size)


def same_version(kept: SourceVersion, sent: SourceVersion) -> bool:
    """Whether nothing that both sides say of the file differs; a strong ETag outweighs the date."""
    if kept.bytes is not None and sent.bytes is not None and kept.bytes != sent.bytes:
        return False
    if kept.etag and sent.etag:
        if kept.etag != sent.etag:
            return False
        if validator(kept) == kept.etag:
            return True
    return not (kept.modified and sent.modified) or kept.modified == sent.modified


def next_step(status: int, headers: Mapping[str, str], have: int, kept: SourceVersion | None) -> Step:
    """What the answer to a request is good for, when ``have`` bytes of the version ``kept`` are there already.

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
        DamagedFile: something else came in place of the file.
    """
    if status == 200 or (ranged and status in (206, 416)):
        return
    name, answer = file_of(address), f"{status} {reason or _phrase(status)}".strip()
    what = f"{public(address)} answers {answer}"
    if status in (404, 410):
        raise NotPublished(name, what, "The source does not have this file: choose another month or TAXI_SOURCE.")
    if status in _PASSING or status >= 500:
        raise Interrupted(f"the server answers {answer}", retry_after(headers))
    if status >= 400:
        raise AccessDenied(
            name, what, "Check the address, or put credentials into it: TAXI_SOURCE=https://user:password@host/…"
        )
    raise DamagedFile(name, f"{what} in place of the file", "Check the address in TAXI_SOURCE.")


def refuse_encoding(headers: Mapping[str, str], address: str) -> None:
    """Refuse a body that was compressed for the journey, which nobody asked for.

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
    """Refuse a web page in place of the file: a log-in, a consent form, an error that calls itself 200.

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


def interruption(error: Exception, address: str) -> Interrupted:
    """What a failure of the transport means, in words; hopeless when the next attempt must fail too."""
    import requests

    causes = list(_chain(error))
    place = urlsplit(address).netloc.rpartition("@")[2]
    proxy = "the proxy fails: " if isinstance(error, requests.exceptions.ProxyError) else ""
    never = (requests.TooManyRedirects, ssl.SSLCertVerificationError, ValueError)  # requests' InvalidURL is the latter
    return Interrupted(
        f"{proxy}{_in_words(causes)} ({place})", hopeless=any(isinstance(cause, never) for cause in causes)
    )


def _in_words(causes: list[BaseException]) -> str:
    """What a chain of exceptions, outermost first, says to a person."""
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
    told = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return told[-1].lower() if told else public(str(causes[0]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
