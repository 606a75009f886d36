"""The embedded server's data directory and its process.

The directory is made completely or not at all. The server keeps running when the process that started it ends. All of
its processes inherit one locked file, so the lock is released when the last of them ends: it shows, in another
container too, whether the server of a pid file is running. When a server is started or stopped is decided in
``server``.
"""

import os
import random
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from taxi_platform.errors import StorageFull, UnsupportedServer
from taxi_platform.postgres.embedded.programs import MAJOR, Account

USER = "taxi"
DATABASE = "ny_taxi"
UNFINISHED = "new-"  # begins the names of folders in which data directories are made
_ONE_WAL_FILE = 16 << 20
_STORAGE_PROBLEMS = ("No space left on device", "Disk quota exceeded", "Read-only file system", "Permission denied")
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # without the caller's, which may set PGDATA or a language
_PORTS = range(15432, 32768)  # below the ports that the kernel gives to outgoing connections

_INITDB = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--no-locale",
    "--locale-provider=builtin",  # the same order and the same letters on every system
    "--builtin-locale=C.UTF-8",
    "--text-search-config=english",
    "--data-checksums",
    "--set=scram_iterations=1",  # more protect weak passwords but cost 2 ms a connection; ours is random
    "--no-instructions",
)


def configuration(port: int) -> str:
    """Return the text of ``postgresql.conf``. Durability keeps PostgreSQL's default: on."""
    settings = Path(__file__).with_name("postgresql.conf").read_text(encoding="utf-8")
    return f"{settings}port = '{port}'\n"


def check_version(data: Path) -> None:
    """Raise ``UnsupportedServer`` if another major version of PostgreSQL made the data directory."""
    version = data / "PG_VERSION"
    made_by = version.read_text().strip() if version.exists() else "(no PG_VERSION)"
    if made_by != str(MAJOR):
        raise UnsupportedServer(
            str(data),
            f"PostgreSQL {made_by} made this data directory, and the embedded server is PostgreSQL {MAJOR}",
            f"Move {data.parent} away, or set TAXI_DATA_DIR to another folder, and load the months again; "
            f"save other tables with pg_dump of a PostgreSQL {made_by}.",
        )


def write(path: Path, text: str, account: Account | None = None) -> None:
    """Replace a file by one that only its owner, ``account`` or else the writer, may read; completely or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    # Exclusively, because root must not follow a link that the account has put into its own folder.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if account and account.is_somebody_else:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def _reachable(account: Account, folder: Path) -> str:
    """Return a name of the working directory that the account can use, even when folders above it are closed to it."""
    return "/proc/self/cwd" if account.is_somebody_else and Path("/proc/self/cwd").exists() else str(folder)


def create(data: Path, password: Path, account: Account, programs: Path, lock: int) -> None:
    """Make the data directory with its one user and database, beside its final place, and move it there.

    ``lock`` is a file descriptor that the programs keep open while they run.

    Raises:
        StorageFull: the disk is full or cannot be written.
        UnsupportedServer: initdb fails for another reason.
    """
    unfinished = data.parent / f"{UNFINISHED}{uuid4().hex}"
    fresh = unfinished / "data"
    try:
        fresh.mkdir(mode=0o700, parents=True)
        unfinished.chmod(0o700)
        write(unfinished / "password", password.read_text(), account)
        if account.is_somebody_else:
            for path in (fresh, unfinished):
                os.chown(path, account.uid, account.gid)
        place = _reachable(account, fresh)
        how: dict[str, Any] = {"cwd": fresh, "pass_fds": [lock], "env": _ENVIRONMENT, **account.arguments()}
        options = ["--pgdata", place, "--username", USER, "--pwfile", f"{place}/../password", *_INITDB]
        _run([programs / "initdb", *options], "", how)
        # Here, so that a data directory never exists without its database.
        _run([programs / "postgres", "--single", "-D", place, "template1"], f"create database {DATABASE}", how)
        fresh.rename(data)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run(command: list[str | Path], text: str, how: dict[str, Any]) -> None:
    outcome = subprocess.run(command, input=text, capture_output=True, text=True, errors="replace", **how)
    # A stand-alone server reports an error and exits with 0.
    if outcome.returncode or "ERROR:" in outcome.stderr or "FATAL:" in outcome.stderr:
        raise unusable(str(how["cwd"].parents[1]), f"{Path(command[0]).name} failed", outcome.stderr)


def unusable(folder: str, what: str, output: str) -> StorageFull | UnsupportedServer:
    """Return the error for a program that failed, with its output."""
    tail = "\n".join(output.strip().splitlines()[-10:])
    # A server on a full disk cannot even report it: its log is on the same disk.
    if any(problem in output for problem in _STORAGE_PROBLEMS) or shutil.disk_usage(folder).free < _ONE_WAL_FILE:
        advice = "Free space there or make it writable, or set TAXI_DATA_DIR to another folder."
        return StorageFull(folder, f"the disk is full or cannot be written: {what}\n{tail}\n", advice)
    return UnsupportedServer(folder, f"{what}\n{tail}\n", "Set TAXI_POSTGRES_URL to a PostgreSQL server of your own.")


def server_pid(data: Path) -> int | None:
    """Return the process id of the server that runs on a data directory, no matter which process started it."""
    import psutil

    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        # The pid file of a crashed server may be empty, and its pid may belong to another process by now.
        return process.pid if process.name() == "postgres" and process.cwd() == str(data) else None
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        return None


def lock(path: Path) -> int | None:
    """Lock a file and return its descriptor, or None if a server or another starter holds it."""
    import fcntl  # absent from Windows, as the embedded server is

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Return whether a server or a starter holds the lock."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def launch(data: Path, programs: Path, account: Account, lock: int, output: Path) -> None:
    """Start a server that outlives this process: in its own session, without this process's terminal and open files.

    It inherits the descriptor ``lock``. Its messages go to the file ``output`` until its own log is open.
    """
    server = [programs / "postgres", "-D", _reachable(account, data)]
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)) as messages:
        subprocess.run(
            # The shell ends at once, so that the server is not a child of ours whose end we would have to wait for.
            ["/bin/sh", "-c", '"$@" &', "sh", *server],
            cwd=data,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            start_new_session=True,
            pass_fds=[lock],
            umask=0o077,
            check=True,
            **account.arguments(),
        )


def messages_since_launch(data: Path, output: Path) -> str:
    """Return the last lines that a server has written since ``launch`` was given ``output``."""
    launched = output.stat().st_mtime if output.exists() else 0
    logs = [path for path in (data / "log").glob("*.log") if path.stat().st_mtime >= launched]
    written = "".join(path.read_text(errors="replace") for path in (output, *logs) if path.exists())
    return "\n".join(written.splitlines()[-20:])


def accepts_connections(data: Path, port: int) -> bool:
    """Return whether the server of a data directory accepts connections: not one that starts, recovers or stops.

    Its own pid file must say so, too: the server of another folder may answer on a port that both have chosen.
    """
    from psycopg.pq import PGconn, Ping

    try:
        _, _, _, listens_on, *_, state = (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, ValueError):  # the file is written line by line
        return False
    if (listens_on, state.strip()) != (str(port), "ready"):
        return False
    address = f"hostaddr=127.0.0.1 port={port} dbname={DATABASE} user={USER} connect_timeout=5"
    return PGconn.ping(f"{address} sslmode=disable gssencmode=disable".encode()) == Ping.OK


def free_port(remembered: int | None) -> int:
    """Return a port to listen on: the remembered one if it is free, else another."""
    for port in (remembered or _PORTS[0], *random.sample(_PORTS, 100)):
        with socket.socket() as candidate:
            # As PostgreSQL does it: connections of the last run that are still closing do not count.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {_PORTS[0]} to {_PORTS[-1]}")
