"""What the response of a web server means, or a missing response. Nothing here sends a request or writes a file."""

import re
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from taxi_platform.errors import AccessDenied, DamagedFile, NotPublished, SourceUnreachable, shortened
from taxi_platform.redaction import public, redact
from taxi_platform.trips.files import SourceVersion

if TYPE_CHECKING:
    from requests import Response

NOT_PUBLISHED = (404, 410)
_TRANSIENT = (408, 425, 429)  # besides all of 500 and above
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII | re.IGNORECASE)


def file_of(address: str) -> str:
    """Return the name of the file under an address, for messages."""
    return PurePosixPath(urlsplit(address).path).name or public(address)


def unreachable(address: str, cause: str, retry_after: float | None = None) -> SourceUnreachable:
    """Return the error of an attempt; the next one may succeed, after the seconds that the server asks for."""
    wait = f" and asks for a pause of {retry_after:,.0f} s" if retry_after else ""
    error = SourceUnreachable(
        file_of(address),
        f"{public(address)} could not be read: {cause}{wait}",
        "Check the connection and TAXI_SOURCE, and try again later; a download is resumed where it stopped. "
        "TAXI_SOURCE=sample:0.1 makes up trips without a network.",
    )
    error.retry_after = retry_after
    return error


@contextmanager
def transport_errors(address: str) -> Generator[None]:
    """Raise ``SourceUnreachable`` instead of every failure of the transport while ``address`` is read."""
    import requests
    import urllib3

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        reason: BaseException = error
        while inner := reason.__cause__ or reason.__context__:
            reason = inner
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        host = urlsplit(address).netloc.rpartition("@")[2]
        failure = unreachable(address, f"{redact(shortened(text))} ({host})")
        # A circle of redirects will not end the next time either, and a ValueError means that the address is not valid.
        failure.transient = not isinstance(error, (requests.TooManyRedirects, ValueError))
        raise failure from error


def refuse_failures(
    response: "Response", address: str, not_published: Collection[int] = NOT_PUBLISHED, *, ranged: bool = False
) -> None:
    """Accept a response with bytes of the file; for a ``ranged`` request, which asks for a part, also 206 and 416.

    Raises:
        NotPublished: the status is one of ``not_published``.
        AccessDenied: every other status from 400 to 499.
        SourceUnreachable: the status is temporary, such as 429 or 503.
        DamagedFile: something else came instead of the file.
    """
    status = response.status_code
    if status == 200 or (ranged and status in (206, 416)):
        return
    name, answers = file_of(address), f"answers {status} {response.reason or ''}".strip()
    what = f"{public(address)} {answers}"
    if status in not_published:
        advice = "The source does not have this file (yet): choose another month or TAXI_SOURCE."
        raise NotPublished(name, what, advice)
    if status in _TRANSIENT or status >= 500:
        raise unreachable(address, f"the server {answers}", _retry_after(response.headers))
    if status >= 400:
        advice = "Check the address, or put credentials into it: TAXI_SOURCE=https://user:password@host/…"
        raise AccessDenied(name, what, advice)
    raise DamagedFile(name, f"{what} instead of the file", "Check the address in TAXI_SOURCE.")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, a number or a date; None if it is missing or wrong."""
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    try:
        return Retry().parse_retry_after(headers["Retry-After"])
    except (KeyError, InvalidHeader, ValueError, OverflowError):
        return None


def version_of(response: "Response") -> SourceVersion:
    """Return the version of the file that a response is about."""
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
    """Return whether a body continues the ``received`` bytes of this version. Some servers ignore If-Range."""
    sent = version_of(response)
    return (
        response.status_code == 206
        and _content_range(response.headers)[0] == received
        and (None in (sent.bytes, version.bytes) or sent.bytes == version.bytes)
        and (sent.etag, sent.modified) == (version.etag, version.modified)
    )


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the first byte of the body and the size of the whole file, as far as ``Content-Range`` has them."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    return (int(match[1]), int(match[2]) if match[2] != "*" else None) if match else (None, None)
