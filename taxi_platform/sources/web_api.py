"""Small answers of the web, held in memory: the JSON of an API, a page. Trip files are the business of ``source``."""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from taxi_platform.errors import DamagedFile, InvalidSetting, NotPublished, TaxiError
from taxi_platform.sources.http.addresses import public
from taxi_platform.sources.http.answers import interruption, refuse_failures
from taxi_platform.sources.http.retries import Interrupted, Retries
from taxi_platform.sources.source import Log

if TYPE_CHECKING:
    from requests import Response

PATIENT = Retries()
HURRIED = Retries(attempts=1)  # for whoever has something else to offer
LARGEST = 8 * 1024 * 1024  # bytes of one answer; a hundred products are 130 kB
LONGEST = 60.0  # seconds for one answer, however steadily it drips
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Api:
    """How a web API is asked, and what its failures are called.

    Attributes:
        subject: what is asked for, for messages: ``the products``, ``kestra/kestra``.
        advice: what to do when there is no answer, or none that is any use.
        missing: what to do when the server says that there is no such thing.
        retries: how often and when to ask again.
        timeouts: seconds until a connection must stand, and that the server may be silent.
    """

    subject: str
    advice: str
    missing: str
    retries: Retries = PATIENT
    timeouts: tuple[float, float] = (10.0, 30.0)

    def ask(self, address: str, log: Log) -> Any:
        """The JSON that the server has under an address.

        Raises:
            NotPublished: there is no such thing.
            AccessDenied: it is not for us.
            SourceUnreachable: no answer, or too many requests, however often asked.
            DamagedFile: the answer is no JSON, or larger than any could be.
            InvalidSetting: the address is none.
        """
        return self.parse(self.content(address, log, accept="application/json"), public(address))

    def content(self, address: str, log: Log, *, accept: str = "*/*") -> bytes:
        """What the server has under an address, at most 8 MiB of it.

        Raises:
            NotPublished, AccessDenied, SourceUnreachable, InvalidSetting: as ``ask`` does.
            DamagedFile: the answer is larger than any could be.
        """
        if not address.startswith(("http://", "https://")):
            raise InvalidSetting(public(address), "it is no web address", "It begins with http:// or https://.")
        try:
            return self.retries.run(lambda: self._get(address, accept), address, log)
        except NotPublished as error:
            raise NotPublished(self.subject, error.what, self.missing) from error
        except TaxiError as error:
            raise type(error)(self.subject, error.what, self.advice) from error

    def parse(self, content: bytes, place: str) -> Any:
        """The JSON of an answer, or of a file that holds one.

        Raises:
            DamagedFile: it is none.
        """
        try:
            return json.loads(content, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            begins = f"it begins with {content[:60]!r}" if content else "it is empty"
            what = f"{place} is no JSON, or only the beginning of it ({error}); {begins}"
            raise DamagedFile(self.subject, what, self.advice) from None

    def _get(self, address: str, accept: str) -> bytes:
        import requests  # loading the definitions shall not wait for it

        with _in_our_words(address):
            headers = {"Accept": accept}
            with requests.get(address, headers=headers, stream=True, timeout=self.timeouts) as response:
                refuse_failures(response.status_code, response.reason, response.headers, address, ranged=False)
                return _read(response, address)


def _read(response: "Response", address: str) -> bytes:
    deadline = time.monotonic() + LONGEST
    content = bytearray()
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > LARGEST:
            what = f"{public(address)} answers with more than {LARGEST // 1024 // 1024} MiB"
            raise DamagedFile(address, what)
        if time.monotonic() > deadline:
            raise Interrupted(f"the answer was not whole after {LONGEST:.0f} s")
    return bytes(content)


@contextmanager
def _in_our_words(address: str) -> Generator[None, None, None]:
    import requests
    import urllib3

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise interruption(error, address) from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
