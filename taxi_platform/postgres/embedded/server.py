"""The embedded PostgreSQL: started when it is needed, shared by all processes, left running like any database.

Its data directory and its process are in ``cluster``, its programs in ``programs``.
"""

import logging
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from taxi_platform.errors import DatabaseInterrupted, DatabaseUnreachable, StorageFull, UnsupportedServer, disk_errors
from taxi_platform.postgres.embedded import cluster, programs
from taxi_platform.retries import EMBEDDED_SERVER

logger = logging.getLogger(__name__)

_ATTEMPTS = 5  # other programs may take the chosen port before the server does


class EmbeddedServer:
    """PostgreSQL on 127.0.0.1 with its user, password and database, in its own folder.

    The folder holds the data directory, the password, the port and the lock. Its owner makes it at the first start; if
    that is root, an unprivileged account owns only the data directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self._lock, self._output = self.folder / "lock", self.folder / "start.log"
        self._password, self._port = self.folder / "password", self.folder / "port"

    def start(self) -> str:
        """Start the server unless it runs, and return its URL. Any number of processes may call this at once.

        Raises:
            StorageFull: the folder cannot be written or its disk is full.
            UnsupportedServer: the platform has no programs, the data directory is of another version, or the server
                does not start; the message ends with the server's own.
            DatabaseUnreachable: another process keeps the server from starting, or it runs and does not answer.
        """
        with disk_errors(self.folder):
            for _ in range(_ATTEMPTS):
                if self.is_running() or self._launch():
                    return self.url()
        raise self._failure()

    def stop(self) -> bool:
        """Stop the server, ending its sessions; committed data stays. Return whether it was running.

        Raises:
            DatabaseInterrupted: it does not end.
            StorageFull: this user may not use the folder.
        """

        def is_stopped() -> bool:
            if pid := cluster.server_pid(self.data):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)  # a fast shutdown: sessions are ended, transactions rolled back
            return not cluster.is_locked(self._lock)

        with disk_errors(self.folder):
            if not cluster.is_locked(self._lock):
                return False
            if EMBEDDED_SERVER.wait_until(is_stopped, waiting_for="waiting for PostgreSQL to stop"):
                return True
        what = f"PostgreSQL did not stop within {EMBEDDED_SERVER.total:.0f} s"
        raise DatabaseInterrupted(str(self.folder), what, f"See the log in {self.data}/log.")

    def is_running(self) -> bool:
        """Return whether the server accepts connections."""
        port = self._remembered_port()
        return port is not None and cluster.is_locked(self._lock) and cluster.accepts_connections(self.data, port)

    def url(self) -> str:
        """Return the URL for any client, or raise ``DatabaseUnreachable`` if the server has never been started."""
        parts = {name: quote(value, safe="") for name, value in self._parts().items()}
        credentials = f"{parts['PGUSER']}:{parts['PGPASSWORD']}"
        place = f"{parts['PGHOST']}:{parts['PGPORT']}/{parts['PGDATABASE']}"
        return f"postgresql://{credentials}@{place}?require_auth={parts['PGREQUIREAUTH']}"

    def psql(self) -> tuple[Path, dict[str, str]]:
        """Return the ``psql`` program and the environment variables with which it connects, password included."""
        return programs.installed() / "psql", self._parts()

    def _parts(self) -> dict[str, str]:
        try:
            password, port = self._password.read_text(), self._port.read_text()
        except FileNotFoundError:
            raise DatabaseUnreachable(str(self.folder), "the embedded server has never been started") from None
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": port,
            "PGUSER": cluster.USER,
            "PGPASSWORD": password,
            "PGDATABASE": cluster.DATABASE,
            # Another program may listen on the port while the server does not run: it must not be sent the password.
            "PGREQUIREAUTH": "scram-sha-256",
        }

    def _remembered_port(self) -> int | None:
        return int(self._port.read_text()) if self._port.exists() else None

    def _launch(self) -> bool:
        """Start the server, or wait until another process has; return False if its port was taken."""
        programs.installed()
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._take_lock()
        if lock is None:
            return True
        began = time.monotonic()
        try:
            account = programs.account_for(self.data)
            folder = programs.usable_by(account)
            self._prepare(account, folder, lock)
            cluster.launch(self.data, folder, account, lock, self._output)
        finally:
            os.close(lock)  # the server has inherited it; from now on it is locked as long as the server lives
        waiting = "waiting for PostgreSQL to start; after a crash it recovers its data first"
        self._wait_until(lambda: self.is_running() or not cluster.is_locked(self._lock), waiting)
        if self.is_running():
            seconds = time.monotonic() - began
            logger.info(f"PostgreSQL {programs.MAJOR} started on port {self._remembered_port()} in {seconds:.1f} s")
            return True
        if "Address already in use" not in cluster.messages_since_launch(self.data, self._output):
            raise self._failure()
        return False

    def _take_lock(self) -> int | None:
        """Return the lock once no other process starts or stops the server; None if the server runs."""
        lock: int | None = None

        def is_decided() -> bool:
            nonlocal lock
            lock = cluster.lock(self._lock)
            return lock is not None or self.is_running()

        self._wait_until(is_decided, "waiting for another process that starts or stops PostgreSQL")
        return lock

    def _wait_until(self, condition: Callable[[], bool], waiting_for: str) -> None:
        if not EMBEDDED_SERVER.wait_until(condition, waiting_for=waiting_for):
            raise DatabaseUnreachable(
                str(self.folder),
                f"PostgreSQL does not answer on 127.0.0.1, port {self._remembered_port()}",
                "Run again later if it is still recovering; perhaps another container runs it. "
                f"See the log in {self.data}/log.",
            )

    def _prepare(self, account: programs.Account, folder: Path, lock: int) -> None:
        """Bring the folder into the state that a start needs, whatever a crash has left."""
        for leftover in self.folder.glob(f"{cluster.UNFINISHED}*"):
            shutil.rmtree(leftover)
        if not self.data.exists():
            logger.info(f"making a PostgreSQL {programs.MAJOR} data directory in {self.folder}")
            cluster.write(self._password, secrets.token_urlsafe(24))
            cluster.create(self.data, self._password, account, folder, lock)
        cluster.check_version(self.data)
        if not self._password.exists():
            advice = "Put it back, or remove the folder and load again."
            raise UnsupportedServer(str(self._password), "the password is missing", advice)
        remembered = self._remembered_port()
        port = cluster.free_port(remembered)
        if remembered not in (None, port):
            logger.info(f"another program has taken port {remembered}; from now on PostgreSQL listens on port {port}")
        cluster.write(self._port, str(port))
        cluster.write(self.data / "postgresql.conf", cluster.configuration(port), account)
        if cluster.server_pid(self.data) is None:  # PostgreSQL removes it itself only if nobody has its pid by now
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _failure(self) -> StorageFull | UnsupportedServer:
        messages = cluster.messages_since_launch(self.data, self._output)
        return cluster.unusable(str(self.folder), "PostgreSQL does not start", messages)
