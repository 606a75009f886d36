"""Where the databases are: on a server that a setting names, or on the embedded server. Decided only here.

How the embedded server works belongs in ``embedded``; what is done in the databases belongs to their users.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from taxi_platform.errors import TaxiError
from taxi_platform.settings import Settings

if TYPE_CHECKING:
    from taxi_platform.postgres.embedded.server import EmbeddedServer

EMBEDDED_FOLDER = "postgres"  # of the data folder
STATE_DATABASE = "dagster"
STATE_SETTING = "TAXI_DAGSTER_POSTGRES_URL"


@dataclass(frozen=True)
class Server:
    """One database, on a server that a setting names or on the embedded server.

    Attributes:
        url: the setting; empty for the embedded server.
        folder: where the embedded server keeps its data.
        database: the database of the embedded server; empty for the trips'.
    """

    url: str
    folder: Path
    database: str = ""

    @property
    def is_embedded(self) -> bool:
        """Whether the database is on the embedded server."""
        return not self.url

    @property
    def embedded(self) -> "EmbeddedServer":
        """The embedded server, whether it is used, running or neither."""
        from taxi_platform.postgres.embedded.server import EmbeddedServer

        return EmbeddedServer(self.folder)

    def address(self) -> str:
        """Return the database's URL; the embedded server is started if it does not run."""
        return self.url or self._named(self.embedded.start())

    def address_if_used(self) -> str | None:
        """Return the same as ``address``, but None if the embedded server has never been used."""
        return self.address() if self.url or self.folder.exists() else None

    def address_if_running(self) -> str | None:
        """Return the database's URL without starting anything: None while the embedded server does not run."""
        if self.url:
            return self.url
        return self._named(self.embedded.url()) if self.embedded.is_running() else None

    def _named(self, url: str) -> str:
        return urlsplit(url)._replace(path=f"/{self.database}").geturl() if self.database else url


def trips_server(settings: Settings) -> Server:
    """Return the server of the trips: TAXI_POSTGRES_URL, or the embedded server."""
    url = settings.postgres_url
    return Server(url.get_secret_value() if url else "", settings.data_dir / EMBEDDED_FOLDER)


def as_of_state(error: TaxiError) -> tuple[str, str, str]:
    """Return subject, problem and advice of an error, with the setting of Dagster's state instead of the trips'."""
    subject, what, advice = (
        part.replace("TAXI_POSTGRES_URL", STATE_SETTING) for part in (error.subject, error.what, error.advice)
    )
    return subject, what, advice


def state_server(settings: Settings) -> Server:
    """Return the server of Dagster's state: TAXI_DAGSTER_POSTGRES_URL, or a database of the embedded server."""
    url = settings.dagster_postgres_url
    return Server(url.get_secret_value() if url else "", settings.data_dir / EMBEDDED_FOLDER, STATE_DATABASE)
