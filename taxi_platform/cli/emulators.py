"""Stand-ins for Cloud Storage and BigQuery on this machine, for the demo and the tests.

They live in a virtual environment of their own, which ``make stand-ins`` makes. What they show of the real services and
what they do not is in ``docs/cloud.md``. Starting and stopping belongs here; talking to them is done by the clients.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from filelock import FileLock

from taxi_platform.errors import CloudNotReady, CloudUnavailable

PROGRAMS = Path(__file__).resolve().parents[2] / ".venv-stand-ins"
PATIENCE_SECONDS = 120  # a start takes three, on a machine that has nothing else to do
_ATTEMPTS = 3  # when another program takes a port between our look and theirs
_STOP_SECONDS = 5

Log = Callable[[str], object]


@dataclass(frozen=True)
class Addresses:
    """Where the two answer, as ``STORAGE_EMULATOR_HOST`` and ``BIGQUERY_EMULATOR_HOST``, and their processes."""

    storage: str
    bigquery: str
    processes: Sequence[int]


class StandIns:
    """One of each, with all that they keep in one folder; any number of processes may share them.

    Args:
        folder: where they keep objects and tables, which last until it is deleted.
        programs: the virtual environment that they are installed in.
    """

    def __init__(self, folder: Path, programs: Path = PROGRAMS) -> None:
        self._folder = folder.resolve()
        self._programs = programs
        self._state = self._folder / "running.json"

    def start(self, log: Log) -> Addresses:
        """Start them unless they run, and say where they answer.

        Raises:
            CloudNotReady: they are not installed.
            CloudUnavailable: they do not come up; the message ends with what they said.
        """
        if not (self._programs / ".installed").exists():
            raise CloudNotReady(
                str(self._programs), "the stand-ins for Google Cloud are not installed", "Run `make stand-ins`."
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            running = self._running()
            if running and all(map(_answers, _questions(running))):
                return running
            for _ in range(_ATTEMPTS):
                self._end()  # one of the two may live on without the other
                addresses = self._launch()
                if self._wait_for(addresses):
                    log(f"Stand-ins answer: Cloud Storage at {addresses.storage}, BigQuery at {addresses.bigquery}")
                    return addresses
            self._end()
        said = "".join(self._output(name).read_text(errors="replace")[-500:] for name in ("storage", "bigquery"))
        raise CloudUnavailable("the stand-ins for Google Cloud", f"they do not start: {said.strip() or 'no output'}")

    @contextmanager
    def running(self, log: Log) -> Generator[Addresses]:
        """Start them, and end them whatever ends the block.

        Raises:
            CloudNotReady, CloudUnavailable: as ``start`` does.
        """
        try:
            yield self.start(log)
        finally:
            self.stop()

    def stop(self) -> None:
        """End them if they run; what they hold stays in the folder."""
        if not self._folder.exists():
            return
        with self._lock():
            self._end()

    def _lock(self) -> FileLock:
        return FileLock(self._folder / "lock")

    def _running(self) -> Addresses | None:
        """Those that an earlier start has left, as far as they live."""
        try:
            left = Addresses(**json.loads(self._state.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return replace(left, processes=[process for process in left.processes if self._is_ours(process)])

    def _is_ours(self, process: int) -> bool:
        """Whether a process is one of these two; its number alone may be another's by now."""
        try:
            return any(str(self._folder) in argument for argument in psutil.Process(process).cmdline())
        except psutil.Error:
            return False

    def _end(self) -> None:
        running = self._running()
        if running:
            _end(running.processes)
        self._state.unlink(missing_ok=True)

    def _launch(self) -> Addresses:
        storage, bigquery, grpc = _free_ports(3)
        programs = self._programs / "bin"
        commands: Mapping[str, Sequence[str]] = {
            "storage": [
                f"{programs}/gcp-storage-emulator",
                f"--data-dir={self._folder}",
                "start",
                "--host=127.0.0.1",
                f"--port={storage}",
                "--quiet",
            ],
            "bigquery": [
                f"{programs}/bqemulator",
                "start",
                f"--rest-port={bigquery}",
                f"--grpc-port={grpc}",
                "--persistent",
                f"--data-dir={self._folder / 'bigquery'}",
                "--log-level=error",
            ],
        }
        (self._folder / "bigquery").mkdir(exist_ok=True)
        addresses = Addresses(f"http://127.0.0.1:{storage}", f"http://127.0.0.1:{bigquery}", [])
        for name, command in commands.items():
            addresses = replace(addresses, processes=[*addresses.processes, self._begin(name, command)])
            self._state.write_text(json.dumps(asdict(addresses)))  # at once, for whoever has to end what we began
        return addresses

    def _wait_for(self, addresses: Addresses) -> bool:
        """Whether both come up; false as soon as one has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        questions = _questions(addresses)
        while time.monotonic() < deadline:
            questions = [url for url in questions if not _answers(url)]
            if not questions:
                return True
            if not all(map(_lives, addresses.processes)):
                return False
            time.sleep(0.1)
        return False

    def _begin(self, name: str, command: Sequence[str]) -> int:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._programs),  # DuckDB's extension lies there
            "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false",  # they would be downloaded
            "BQEMU_GCS_LOCAL_ROOT": str(self._folder / ".cloudstorage"),  # where the other keeps its objects
        }
        with self._output(name).open("wb") as output:
            return subprocess.Popen(
                command,
                env=environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt of the terminal is for us, who stop them in order
            ).pid

    def _output(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _questions(addresses: Addresses) -> list[str]:
    return [f"{addresses.storage}/storage/v1/b?project=p", f"{addresses.bigquery}/healthz"]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - a local address of our own making
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _lives(process: int) -> bool:
    """Whether a process has not ended; one of our own that has is buried."""
    try:
        if os.waitpid(process, os.WNOHANG) != (0, 0):
            return False
    except ChildProcessError:
        pass  # another process has started it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _end(processes: Sequence[int]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
    while any(map(_lives, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in filter(_lives, processes):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
