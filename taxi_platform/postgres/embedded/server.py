"""The embedded PostgreSQL: started when it is needed, shared by all processes, left running like any database.

How its data directory is made and its process are in ``cluster``, its programs in ``programs``.
"""

import logging
import os
import secrets
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from taxi_platform.errors import DatabaseInterrupted, DatabaseUnreachable, StorageFull, UnsupportedServer
from taxi_platform.postgres.embedded import cluster, programs

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 300  # for whatever is not a recovery, which may take as long as it takes
_REPORT_SECONDS = 5
_ATTEMPTS = 5  # when others take the chosen port between our look and the server's


class EmbeddedServer:
    """PostgreSQL on 127.0.0.1 with its user, password and database, in a folder of its own.

    Args:
        folder: holds the data directory, the password, the port and the lock; made at the first start. It belongs to
            whoever starts the server. When that is root, an unprivileged account owns the data directory alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self._lock = self.folder / "lock"
        self._password = self.folder / "password"
        self._port = self.folder / "port"
        self._output = self.folder / "start.log"

    def start(self) -> str:
        """Start the server unless it runs, and return its URL.

        Any number of processes may do so at once; one of them starts it. After a crash it recovers its data first,
        which is logged while it takes.

        Raises:
            StorageFull: the folder cannot be written or its disk is full.
            UnsupportedServer: there are no programs for this platform, no account to run them as, the data directory
                is of another version, or the server does not come up; the message ends with what it said.
            DatabaseUnreachable: another process keeps the server from starting, or it runs and does not answer.
        """
        with self._storage():
            for _ in range(_ATTEMPTS):
                if self.is_running() or self._launch():
                    return self.url()
        raise self._failure()

    def stop(self) -> bool:
        """Stop the server, ending its sessions; what is committed stays. Return whether it was running.

        Raises:
            DatabaseInterrupted: it does not end.
            StorageFull: this user may not use the folder.
        """
        told: int | None = None
        with self._storage():
            if not cluster.is_locked(self._lock):
                return False
            for seconds in _waiting():
                if not cluster.is_locked(self._lock):
                    return True
                told = self._tell_to_stop(told)
                if seconds > PATIENCE_SECONDS:
                    break
                if seconds and seconds % _REPORT_SECONDS == 0:
                    logger.info(f"waiting for PostgreSQL to stop, for {seconds} s now")
        raise DatabaseInterrupted(
            str(self.folder), f"PostgreSQL did not stop within {PATIENCE_SECONDS} s", f"See the log in {self.data}/log."
        )

    def is_running(self) -> bool:
        """Whether the server takes connections."""
        if not cluster.is_locked(self._lock):
            return False
        found = cluster.read_pid_file(self.data)
        port = self._remembered_port()
        return found is not None and found.status == "ready" and port is not None and cluster.answers(port)

    def url(self) -> str:
        """Return the URL for psycopg and every other client, whether the server runs or not.

        Raises:
            DatabaseUnreachable: the server has never been started.
        """
        parts = self._parts()
        credentials = f"{quote(parts['PGUSER'], safe='')}:{quote(parts['PGPASSWORD'], safe='')}"
        return f"postgresql://{credentials}@{parts['PGHOST']}:{parts['PGPORT']}/{quote(parts['PGDATABASE'], safe='')}"

    def psql(self) -> tuple[Path, dict[str, str]]:
        """Return the ``psql`` program and the environment variables with which it connects, password included.

        Raises:
            DatabaseUnreachable: the server has never been started.
            UnsupportedServer: there are no programs for this platform.
        """
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
        }

    def _remembered_port(self) -> int | None:
        return int(self._port.read_text()) if self._port.exists() else None

    def _launch(self) -> bool:
        """Wait for our turn and launch the server; false when it did not come up because its port was taken."""
        programs.installed()
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._our_turn()
        if lock is None:
            return True
        began = time.monotonic()
        try:
            self._begin(lock)
        finally:
            os.close(lock)  # the server has inherited it; from now on it is locked as long as the server lives
        if self._comes_up():
            seconds = time.monotonic() - began
            logger.info(f"PostgreSQL {programs.MAJOR} started on port {self._remembered_port()} in {seconds:.1f} s")
            return True
        if "Address already in use" not in self._said(20):
            raise self._failure()
        return False

    def _begin(self, lock: int) -> None:
        account = programs.account_for(self.data)
        folder = programs.usable_by(account)
        self._prepare(account, folder, lock)
        output = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            cluster.launch(self.data, folder, account, lock, output)
        finally:
            os.close(output)

    def _our_turn(self) -> int | None:
        """Return the lock once no other process starts or stops the server; None if the server runs."""
        for seconds in _waiting():
            lock = cluster.lock(self._lock)
            if lock is not None:
                return lock
            if self.is_running():
                return None
            self._report(seconds)
        return None

    def _comes_up(self) -> bool:
        for seconds in _waiting():
            if self.is_running():
                return True
            if not cluster.is_locked(self._lock):
                return False
            self._report(seconds)
        return False

    def _report(self, seconds: int) -> None:
        found = cluster.read_pid_file(self.data)
        status = found.status if found else "not up yet"
        if seconds > PATIENCE_SECONDS and status != "starting":
            raise DatabaseUnreachable(
                str(self.folder),
                f"PostgreSQL is {status} and does not answer on 127.0.0.1, port {self._remembered_port()}",
                f"Perhaps another container runs it; see the log in {self.data}/log.",
            )
        if seconds and seconds % _REPORT_SECONDS == 0:
            recovery = "; after a crash it recovers its data first" if status == "starting" else ""
            logger.info(f"waiting for PostgreSQL ({status}{recovery}), for {seconds} s now: {self._said(1)}")

    def _prepare(self, account: programs.Account, folder: Path, lock: int) -> None:
        """Bring the folder into the state that a start needs, whatever a crash has left."""
        cluster.remove_unfinished(self.folder)
        if not self.data.exists():
            logger.info(f"making a PostgreSQL {programs.MAJOR} data directory in {self.folder}")
            cluster.write(self._password, secrets.token_urlsafe(24))
            cluster.create(self.data, self._password, account, folder, lock)
        cluster.check_version(self.data)
        if not self._password.exists():
            raise UnsupportedServer(
                str(self._password), "the server's password is gone", "Put it back, or remove the folder and load anew."
            )
        remembered = self._remembered_port()
        port = cluster.free_port(remembered)
        if remembered not in (None, port):
            logger.info(f"another program has taken port {remembered}; from now on PostgreSQL listens on port {port}")
        cluster.write(self._port, str(port))
        cluster.configure(self.data, account, port)
        cluster.remove_stale_pid_file(self.data)

    def _tell_to_stop(self, told: int | None) -> int | None:
        """Signal the server once; returns its pid when that is done."""
        found = cluster.read_pid_file(self.data)
        if found is None or found.pid == told or not cluster.is_server_on(self.data, found.pid):
            return told
        with suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGINT)  # a fast shutdown: sessions are ended, their transactions rolled back
        return found.pid

    def _said(self, lines: int) -> str:
        return cluster.said(self.data, self._output, lines)

    def _failure(self) -> StorageFull | UnsupportedServer:
        return cluster.unusable(str(self.folder), "PostgreSQL does not come up", self._said(20))

    @contextmanager
    def _storage(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StorageFull(
                str(error.filename or self.folder),
                f"the embedded server's folder cannot be used ({error.strerror or error})",
                "Free space there or make it writable, or set TAXI_DATA_DIR to another folder.",
            ) from error


def _waiting() -> Iterator[int]:
    """Whole seconds waited so far, each once and zero often at first, with a pause in between."""
    began, last = time.monotonic(), 0
    yield 0
    while True:
        time.sleep(0.02)
        seconds = int(time.monotonic() - began)
        yield seconds if seconds > last else 0
        last = seconds
