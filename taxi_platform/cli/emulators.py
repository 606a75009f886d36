"""Start and stop emulators of Cloud Storage and BigQuery on this machine, for the demo and the tests.

They are installed in their own virtual environment, by ``make emulators``. What they show of the real services and
what they do not is in ``docs/cloud.md``.
"""

import json
import logging
import os
import socket
import subprocess
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from filelock import FileLock

from taxi_platform.errors import CloudNotReady, CloudUnavailable
from taxi_platform.retries import RetryPolicy

logger = logging.getLogger(__name__)

PROGRAMS = Path(__file__).resolve().parents[2] / ".venv-emulators"
START = RetryPolicy(first_wait=0.1, longest_wait=0.1, total=120.0)  # three seconds on a machine with nothing else to do
_ATTEMPTS = 3  # another program may take a port before the emulator does
_STOP_SECONDS = 5


@dataclass(frozen=True)
class Addresses:
    """Where the two answer, as ``STORAGE_EMULATOR_HOST`` and ``BIGQUERY_EMULATOR_HOST``, and their processes."""

    storage: str
    bigquery: str
    processes: Sequence[int]

    @property
    def health_urls(self) -> list[str]:
        """The addresses that answer when the emulators are ready."""
        return [f"{self.storage}/storage/v1/b?project=p", f"{self.bigquery}/healthz"]


class Emulators:
    """One emulator of each service, with their data in one folder; any number of processes may share them.

    Args:
        folder: where they keep objects and tables, which last until it is deleted.
        programs: the virtual environment that they are installed in.
    """

    def __init__(self, folder: Path, programs: Path = PROGRAMS) -> None:
        self._folder = folder.resolve()
        self._programs = programs
        self._state = self._folder / "running.json"

    def start(self) -> Addresses:
        """Start them unless they run, and return where they answer.

        Raises:
            CloudNotReady: they are not installed.
            CloudUnavailable: they do not start; the message ends with their output.
        """
        if not (self._programs / ".installed").exists():
            raise CloudNotReady(
                str(self._programs), "the emulators of Google Cloud are not installed", "Run `make emulators`."
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            running = self._running()
            if running and all(map(_answers, running.health_urls)):
                return running
            for _ in range(_ATTEMPTS):
                self._end()  # one of the two may still run without the other
                addresses = self._launch()
                if _wait_for(addresses):
                    logger.info("Emulators: Cloud Storage at %s, BigQuery at %s", addresses.storage, addresses.bigquery)
                    return addresses
            self._end()
        output = "".join(self._output(name).read_text(errors="replace")[-500:] for name in ("storage", "bigquery"))
        raise CloudUnavailable("the emulators of Google Cloud", f"they do not start: {output.strip() or 'no output'}")

    @contextmanager
    def running(self) -> Generator[Addresses]:
        """Start them, and stop them at the end of the block."""
        try:
            yield self.start()
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop them if they run; their data stays in the folder."""
        if self._folder.exists():
            with self._lock():
                self._end()

    def _lock(self) -> FileLock:
        return FileLock(self._folder / "lock")

    def _running(self) -> Addresses | None:
        """Return those that an earlier start has left, without the processes that have ended."""
        try:
            left = Addresses(**json.loads(self._state.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return replace(left, processes=[process for process in left.processes if self._is_ours(process)])

    def _is_ours(self, process: int) -> bool:
        """Return whether a process is one of these two; its number alone may be another's by now."""
        try:
            return any(str(self._folder) in argument for argument in psutil.Process(process).cmdline())
        except psutil.Error:
            return False

    def _end(self) -> None:
        running = self._running()
        processes: list[psutil.Process] = []
        for number in running.processes if running else ():
            with suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(number))
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in psutil.wait_procs(processes, timeout=_STOP_SECONDS)[1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
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
            self._state.write_text(json.dumps(asdict(addresses)))  # at once, so that they can be stopped
        return addresses

    def _begin(self, name: str, command: Sequence[str]) -> int:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._programs),  # where DuckDB's extension is installed
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
                start_new_session=True,  # the terminal's interrupt is for us; we stop them afterwards
            ).pid

    def _output(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def _wait_for(addresses: Addresses) -> bool:
    """Return whether both answer in time; one that has ended is not waited for."""

    def is_decided() -> bool:
        return all(map(_answers, addresses.health_urls)) or not all(map(_is_alive, addresses.processes))

    START.wait_until(is_decided, waiting_for="Waiting for the emulators to start")
    return all(map(_answers, addresses.health_urls))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - a local address of our own making
            return answer.status == 200
    except OSError:
        return False


def _is_alive(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
