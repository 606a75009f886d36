"""One server process: its lock, its pid file, its port, how it is begun and told to end.

When that is to be done is decided in ``server``.

Every process of a server inherits one locked file, and the lock ends with the last of them. So the lock tells a living
server from the pid file of a dead one, even when another process has got its pid since, and in another container.
"""

import os
import random
import socket
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

from taxi_platform.postgres.embedded import cluster
from taxi_platform.postgres.embedded.programs import Account

# Below the ports that the kernel gives to outgoing connections, so that a remembered one stays free.
_PORTS = range(15432, 32768)


# The protocol's first question; a server answers it with one letter, before anybody has to log in.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# The argument that says whose server it is, to us and to a reader of ``ps``.
_MARK = "taxi.folder="


class PidFile(NamedTuple):
    """What ``postmaster.pid`` says, be it true or not."""

    pid: int
    status: str  # starting, ready, stopping


def read_pid_file(data: Path) -> PidFile | None:
    """The pid file of a data directory; nothing when there is none, or a crash has emptied it."""
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
    """The arguments that a process was started with; one empty string when there is no such process."""
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
    server = [programs / "postgres", "-D", cluster.reachable(account, data), "-c", f"{_MARK}{data}"]
    subprocess.run(
        # The shell ends at once, so that the server is no child of ours whose end we would have to wait for.
        ["/bin/sh", "-c", '"$@" &', "sh", *server],
        cwd=data,
        env=cluster.environment(),
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
    """The last lines that a server has written since it was launched.

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
    """A port to listen on: the remembered one if it is free, else another."""
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
