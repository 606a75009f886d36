"""The embedded server's data directory and its process.

The directory is made whole or not at all, checked and configured. The process has a lock, a pid file and a port, and
outlives its starter: every process of a server inherits one locked file, and the lock ends with the last of them. So
the lock tells a living server from the pid file of a dead one, even when another process has got its pid since, and in
another container. When a server is started or stopped is decided in ``server``.
"""

import os
import random
import shutil
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from taxi_platform.errors import StorageFull, UnsupportedServer
from taxi_platform.postgres.embedded.programs import MAJOR, Account

USER = "taxi"
DATABASE = "ny_taxi"
_UNFINISHED = "new-"
_ONE_WAL_FILE = 16 << 20
# What the programs say when a disk lets them down.
_STORAGE = ("No space left on device", "Disk quota exceeded", "Read-only file system", "Permission denied")

_INITDB = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--no-locale",
    "--locale-provider=builtin",  # the same order and the same letters on every system
    "--builtin-locale=C.UTF-8",
    "--text-search-config=english",
    "--data-checksums",
    "--no-instructions",
)

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # every tool reaches 127.0.0.1, and paths of sockets may not be long
    "cluster_name": "taxi_platform",
    "max_connections": "50",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    # Outside /dev/shm, which is 64 MB in a container and emptied when a user of systemd logs out.
    "dynamic_shared_memory_type": "mmap",
    # Nothing is replicated from a laptop, and tables made and filled in one transaction bypass the log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_buffers": "16MB",
    # A month is loaded between two checkpoints, not through several.
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # A file for each day of the week, begun anew a week later.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %d ",
}


# Below the ports that the kernel gives to outgoing connections, so that a remembered one stays free.
_PORTS = range(15432, 32768)


# The protocol's first question; a server answers it with one letter, before anybody has to log in.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# The argument that says whose server it is, to us and to a reader of ``ps``.
_MARK = "taxi.folder="


def configuration(port: int) -> str:
    """Return the text of ``postgresql.conf``. Durability keeps PostgreSQL's default: on."""
    lines = (f"{name} = '{value}'" for name, value in {**_SETTINGS, "port": str(port)}.items())
    return "# Written anew at each start. Settings of your own: ALTER SYSTEM SET …\n" + "\n".join(lines) + "\n"


def check_version(data: Path) -> None:
    """Refuse a data directory that another major version of PostgreSQL made.

    Raises:
        UnsupportedServer: names both versions and the way out.
    """
    version = data / "PG_VERSION"
    made_by = version.read_text().strip() if version.exists() else "(no PG_VERSION)"
    if made_by != str(MAJOR):
        raise UnsupportedServer(
            str(data),
            f"PostgreSQL {made_by} made this data directory, and the embedded server is PostgreSQL {MAJOR}",
            f"Move {data.parent} away, or set TAXI_DATA_DIR to another folder, and load the months again; "
            f"what else you need of it, take with pg_dump from a PostgreSQL {made_by}.",
        )


def configure(data: Path, account: Account, port: int) -> None:
    """Write the settings for the next start."""
    write(data / "postgresql.conf", configuration(port), account)


def write(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file that only its owner may read, wholly or not at all.

    Args:
        path: the file; what is there is replaced.
        text: its new content.
        account: the owner, when it is not the writer.
    """
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    # Exclusively, for root must not follow a link that the account has put into its own folder.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if account and account.is_somebody_else:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def reachable(account: Account, folder: Path) -> str:
    """How the account names a folder that it is started in.

    The folders above may be closed to it, as /root is; through the kernel's link to the working directory it needs
    none of them, and nobody has to open them.
    """
    return "/proc/self/cwd" if account.is_somebody_else and Path("/proc/self/cwd").exists() else str(folder)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process left that was ended while it made a data directory."""
    for leftover in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover)


def create(data: Path, password: Path, account: Account, programs: Path, lock: int) -> None:
    """Make the data directory with its one user and database, beside its final place, and move it there.

    Args:
        data: the final place; nothing is there yet.
        password: the file with the user's password.
        account: who shall own it.
        programs: the folder of ``initdb`` and ``postgres``.
        lock: a file descriptor that the programs keep open while they run.

    Raises:
        StorageFull: the disk is full or cannot be written.
        UnsupportedServer: initdb fails for another reason.
    """
    unfinished = data.parent / f"{_UNFINISHED}{uuid4().hex}"
    fresh = unfinished / "data"
    try:
        fresh.mkdir(mode=0o700, parents=True)
        unfinished.chmod(0o700)
        write(unfinished / "password", password.read_text(), account)
        if account.is_somebody_else:
            for path in (fresh, unfinished):
                os.chown(path, account.uid, account.gid)
        _initialise(fresh, account, programs, lock)
        fresh.rename(data)
        _sync(data.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _initialise(fresh: Path, account: Account, programs: Path, lock: int) -> None:
    place = reachable(account, fresh)
    how: dict[str, Any] = {"cwd": fresh, "pass_fds": [lock], "env": environment(), **account.arguments()}
    options = ["--pgdata", place, "--username", USER, "--pwfile", f"{place}/../password", *_INITDB]
    _run([programs / "initdb", *options], "", how)
    # Here, so that the directory never stands at its place without its database.
    _run([programs / "postgres", "--single", "-D", place, "template1"], f"create database {DATABASE}", how)


def environment() -> dict[str, str]:
    """Return the environment of the programs, without the caller's, which may set PGDATA or a language."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _run(command: list[str | Path], text: str, how: dict[str, Any]) -> None:
    outcome = subprocess.run(command, input=text, capture_output=True, text=True, errors="replace", **how)
    # A stand-alone server reports an error, and ends well.
    if outcome.returncode or "ERROR:" in outcome.stderr or "FATAL:" in outcome.stderr:
        raise unusable(str(how["cwd"].parents[1]), f"{Path(command[0]).name} failed", outcome.stderr)


def unusable(folder: str, what: str, said: str) -> StorageFull | UnsupportedServer:
    """Return the error for a program that failed, with its output."""
    tail = "\n".join(said.strip().splitlines()[-10:])
    # A server on a full disk cannot even say so: its log is there as well.
    if any(sign in said for sign in _STORAGE) or shutil.disk_usage(folder).free < _ONE_WAL_FILE:
        advice = "Free space there or make it writable, or set TAXI_DATA_DIR to another folder."
        return StorageFull(folder, f"the disk is full or cannot be written: {what}\n{tail}\n", advice)
    return UnsupportedServer(folder, f"{what}\n{tail}\n", "Set TAXI_POSTGRES_URL to a PostgreSQL server of your own.")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class PidFile(NamedTuple):
    """What ``postmaster.pid`` says, be it true or not."""

    pid: int
    status: str  # starting, ready, stopping


def read_pid_file(data: Path) -> PidFile | None:
    """Return the pid file of a data directory; None if it does not exist or a crash has emptied it."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if not lines:
        return None
    return PidFile(abs(int(lines[0])), lines[7].strip() if len(lines) > 7 else "starting")


def remove_stale_pid_file(data: Path) -> None:
    """Remove the pid file of a server that is gone; to be called with the lock held.

    PostgreSQL does so itself unless another process has the pid by now, or a crash has emptied the file. A server that
    somebody started by hand is left to PostgreSQL, which refuses to start beside it.
    """
    found = read_pid_file(data)
    name, *arguments = _command_line(found.pid) if found else [""]
    marked = any(argument.startswith(_MARK) for argument in arguments)
    if Path(name).name != "postgres" or (marked and not _is_marked(arguments, data)):
        (data / "postmaster.pid").unlink(missing_ok=True)


def is_server_on(data: Path, pid: int) -> bool:
    """Whether a process is the server that was started on this data directory."""
    return _is_marked(_command_line(pid), data)


def _is_marked(arguments: list[str], data: Path) -> bool:
    return f"{_MARK}{data}" in arguments


def _command_line(pid: int) -> list[str]:
    """Return the arguments of a process; one empty string if it does not exist."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="surrogateescape").rstrip("\0").split("\0")
        except OSError:
            return [""]
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return listed.stdout.strip().split(" ")


def lock(path: Path) -> int | None:
    """Lock a file and return its descriptor, or nothing when a server or another starter holds it."""
    import fcntl  # absent from Windows, as the embedded server is

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a server or a starter holds the lock."""
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


def launch(data: Path, programs: Path, account: Account, lock: int, output: int) -> None:
    """Begin a server that outlives its starter: a session of its own, no terminal, nothing of the starter's open.

    Args:
        data: the data directory.
        programs: the folder of ``postgres``.
        account: who runs it.
        lock: the descriptor of the locked file, for the server to inherit.
        output: the descriptor that takes what it says before its own log is open.
    """
    server = [programs / "postgres", "-D", reachable(account, data), "-c", f"{_MARK}{data}"]
    subprocess.run(
        # The shell ends at once, so that the server is no child of ours whose end we would have to wait for.
        ["/bin/sh", "-c", '"$@" &', "sh", *server],
        cwd=data,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        pass_fds=[lock],
        umask=0o077,
        check=True,
        **account.arguments(),
    )


def said(data: Path, output: Path, lines: int) -> str:
    """Return the last lines that a server has written since it was started.

    Args:
        data: the data directory, with the server's own log.
        output: the file that was given to ``launch``.
        lines: how many.
    """
    launched = output.stat().st_mtime if output.exists() else 0
    logs = [path for path in (data / "log").glob("*.log") if path.stat().st_mtime >= launched]
    written = "".join(path.read_text(errors="replace") for path in (output, *logs) if path.exists())
    return "\n".join(written.splitlines()[-lines:])


def answers(port: int) -> bool:
    """Whether a PostgreSQL that is alive listens on the port.

    A connection alone proves little: the kernel accepts it for a server that is dying or hangs.
    """
    try:
        with socket.socket() as client:
            client.settimeout(5)
            client.connect(("127.0.0.1", port))
            client.sendall(_SSL_REQUEST)
            return client.recv(1) in (b"N", b"S")
    except OSError:
        return False


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
