"""The addresses of ``TAXI_ALERT_URLS``, named without their secrets. Pure, and without Apprise.

Their syntax is checked in ``settings``; ``delivery`` asks whether Apprise knows them.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from taxi_platform.settings import alert_urls_in

# So that a mark, which can be read in the web UI, is no cheap way to try passwords.
_ROUNDS = 100_000


@dataclass(frozen=True)
class Address:
    """Where messages go.

    Attributes:
        url: the Apprise URL, which may be all secret: user, host or path are tokens with many services.
        name: what people may see of it, e.g. ``slack (1 of 2)``.
    """

    url: str = field(repr=False)
    name: str

    @property
    def mark(self) -> str:
        """A short text that stands for the address where its URL must not: in a cursor, in the log of a run."""
        return _mark(self.url)

    def secrets(self) -> Iterator[str]:
        """Every part of the URL that may be a secret, for redaction: all but the scheme."""
        rest = self.url.partition("://")[2]
        yield rest
        yield from re.split(r"[/:@?&=#]", rest)


def addresses_of(text: str) -> Sequence[Address]:
    """Return the addresses in a text that names one or several, each once, in their order.

    Raises:
        ValueError: a part of the text is not an address.
    """
    urls = alert_urls_in(text)
    return [Address(url, _name(url, number, len(urls))) for number, url in enumerate(urls, 1)]


def _name(url: str, number: int, count: int) -> str:
    scheme = url.partition("://")[0].lower()
    return scheme if count == 1 else f"{scheme} ({number} of {count})"


@cache
def _mark(url: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", url.encode(), b"taxi_platform alerts", _ROUNDS).hex()[:12]
