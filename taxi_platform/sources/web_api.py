"""Small responses of web servers, kept in memory: the JSON of an API, a page. Trip files are fetched by ``http``."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from taxi_platform.errors import DamagedFile, InvalidSetting, NotPublished, TaxiError
from taxi_platform.redaction import kind_of, public
from taxi_platform.retries import DOWNLOAD, RetryPolicy
from taxi_platform.sources.responses import file_of, refuse_failures, transport_errors

LARGEST = 8 * 1024 * 1024  # bytes of one response; a hundred products are 130 kB


@dataclass(frozen=True)
class Api:
    """How a web API is asked, and how its errors are worded.

    Attributes:
        subject: the requested thing in messages: ``the products``, ``kestra/kestra``.
        advice, missing: what to do after an error, and what to do if the thing does not exist.
        timeouts: seconds to wait for a connection, and for the next bytes of a response.
    """

    subject: str
    advice: str
    missing: str
    retries: RetryPolicy = DOWNLOAD
    timeouts: tuple[float, float] = (10.0, 30.0)

    def ask(self, address: str) -> Any:
        """Return the JSON that the server has under an address.

        Raises:
            NotPublished: the server says that it does not exist.
            AccessDenied: the server does not let us have it.
            SourceUnreachable: after all retries, the server does not answer or refuses more requests.
            DamagedFile: the response is not JSON, or larger than 8 MiB.
            InvalidSetting: this is not a web address.
        """
        return self.parse(self.content(address, accept="application/json"), public(address))

    def content(self, address: str, *, accept: str = "*/*") -> bytes:
        """Return what the server has under an address, at most 8 MiB of it; for the errors see ``ask``."""
        if not address.startswith(("http://", "https://")):
            raise InvalidSetting(public(address), "it is not a web address", "It begins with http:// or https://.")
        try:
            return self.retries.run(lambda: self._get(address, accept), subject=file_of(address))
        except TaxiError as error:
            advice = self.missing if isinstance(error, NotPublished) else self.advice
            raise type(error)(self.subject, error.what, advice) from error

    def parse(self, content: bytes, place: str) -> Any:
        """Return the JSON of a response or of a file, or raise ``DamagedFile``."""
        try:
            return json.loads(content, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            kind = kind_of(content) if content else "empty"
            what = f"{place} is not JSON, or only the beginning of it ({error}); it is {kind}"
            raise DamagedFile(self.subject, what, self.advice) from None

    def _get(self, address: str, accept: str) -> bytes:
        import requests  # takes long to import, and is not needed to load the definitions

        with (
            transport_errors(address),
            requests.get(address, headers={"Accept": accept}, stream=True, timeout=self.timeouts) as response,
        ):
            refuse_failures(response, address)
            content = bytearray()
            for chunk in response.iter_content(64 * 1024):
                content += chunk
                if len(content) > LARGEST:
                    what = f"{public(address)} answers with more than {LARGEST // 1024 // 1024} MiB"
                    raise DamagedFile(address, what)
            return bytes(content)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
