"""Addresses of files on an HTTP server: the template that makes them, and how they are shown to people.

Pure: nothing here asks a server.
"""

import re
from pathlib import PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from taxi_platform.errors import InvalidSetting
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

ZONES_FILE = "taxi_zone_lookup.csv"
EXAMPLE = "https://host/{service}/{service}_tripdata_{month}.csv.gz"

_PLACEHOLDERS = ("{service}", "{month}")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


def file_of(address: str) -> str:
    """The name of the file under an address, by which messages call it."""
    return PurePosixPath(urlsplit(address).path).name or public(address)


def public(address: str) -> str:
    """The address without the credentials that may stand before its host."""
    return re.sub(r"//[^/]*@", "//***@", address, count=1)


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
        except ValueError as error:  # a port that is no number, a bracket that is never closed
            raise _invalid(template, str(error)) from None
        if problem:
            raise _invalid(template, problem)
        user, _, self.host = parts.netloc.rpartition("@")
        name, _, password = user.partition(":")
        self.credentials = (unquote(name), unquote(password)) if user else None
        self._template = f"{parts.scheme}://{self.host}{parts.path}"

    def trips(self, service: Service, month: Month) -> str:
        """The address of a month's file."""
        return self._template.replace("{service}", service.name).replace("{month}", str(month))

    def zones(self) -> str:
        """The address of the zone lookup: the folder that all trip files share, and in it the file's name.

        Where every service has a folder of its own, the lookup lies in their neighbour ``misc``, as in the course's
        release: ``…/download/{service}/…`` makes ``…/download/misc/taxi_zone_lookup.csv``.
        """
        segments = self._template.split("/")
        first = next(index for index, segment in enumerate(segments) if "{" in segment)
        folder = ["misc"] if segments[first] == "{service}" else []
        return "/".join([*segments[:first], *folder, ZONES_FILE])


def _problem(parts: SplitResult) -> str | None:
    """Why this is no template, if it is none; a ``ValueError`` where the address cannot even be taken apart."""
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
