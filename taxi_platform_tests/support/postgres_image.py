"""What PostgreSQL's image does when its container starts: create a data directory, then start the server.

The programs are those of the embedded server. How the platform uses a server does not belong here.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from taxi_platform.postgres.embedded.programs import account_for, installed, usable_by

SUPERUSER = "postgres"
START_SECONDS = 60


class PostgresImage:
    """The image's entry point, for one data directory.

    Args:
        folder: an empty folder for the data directory and the socket; its path must be short, and every user must
            be allowed to enter the folders above it.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._folder = folder
        self.account = account_for(self._data)
        self._programs = usable_by(self.account)
        os.chown(folder, self.account.uid, self.account.gid)

    @property
    def search_path(self) -> str:
        """The ``PATH`` on which scripts and health checks find ``psql`` and ``pg_isready``."""
        return f"{installed()}:{os.defpath}"

    def server(self, command: Sequence[str], port: int, listens: str = "127.0.0.1") -> list[str]:
        """Return a service's command with this data directory and port."""
        place = {"listen_addresses": listens, "port": str(port), "unix_socket_directories": str(self._folder)}
        options = [part for name, value in place.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs / command[0]), "-D", str(self._data), *command[1:], *options]

    def make(self, command: Sequence[str], port: int, environment: Mapping[str, str], scripts: Sequence[Path]) -> None:
        """Make the data directory, unless it exists, and run the scripts in it as the image does."""
        if self._data.exists():
            return
        password = self._folder / "password"
        password.write_text(environment["POSTGRES_PASSWORD"])
        os.chown(password, self.account.uid, self.account.gid)
        initdb = [self._programs / "initdb", f"--pgdata={self._data}", f"--username={SUPERUSER}"]
        subprocess.run(
            [*initdb, f"--pwfile={password}", "--auth-host=scram-sha-256", "--no-sync"],
            check=True,
            capture_output=True,
            **self.account.arguments(),
        )
        password.unlink()
        client = {"PATH": self.search_path, "PGHOST": str(self._folder), "PGPORT": str(port)}
        with self._listening_on_its_socket(command, port, client):
            for script in scripts:
                subprocess.run(script, check=True, env={**environment, **client, "POSTGRES_USER": SUPERUSER})

    @contextmanager
    def _listening_on_its_socket(self, command: Sequence[str], port: int, client: Mapping[str, str]) -> Iterator[None]:
        server = subprocess.Popen(
            self.server(command, port, listens=""), stderr=subprocess.DEVNULL, **self.account.arguments()
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while subprocess.run(["pg_isready", "--quiet"], env={**client}).returncode:
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.02)
            yield
        finally:
            server.terminate()
            server.wait()
