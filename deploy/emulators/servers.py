"""Start and stop the emulators of Cloud Storage and BigQuery on this machine.

``make emulators`` installs them in their own virtual environment. ``docs/cloud.md`` describes how far they behave like
the real services.
"""

import json
import os
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import requests
from filelock import FileLock

from taxi_platform.errors import CloudNotReady, CloudUnavailable
from taxi_platform.retries import RetryPolicy

PROGRAMS = Path(__file__).resolve().parents[2] / ".venv-emulators"
START = RetryPolicy(first_wait=0.1, longest_wait=0.1, total=120.0)  # it takes three seconds on an idle machine
_STOP_SECONDS = 5


@dataclass(frozen=True)
class Addresses:
    """The URLs for ``STORAGE_EMULATOR_HOST`` and ``BIGQUERY_EMULATOR_HOST``, and the ids of both processes."""

    storage: str
    bigquery: str
    processes: list[int]

    def answer(self) -> bool:
        """Return whether both emulators are ready."""
        urls = (f"{self.storage}/storage/v1/b?project=p", f"{self.bigquery}/healthz")
        with suppress(requests.RequestException):
            return all(requests.get(url, timeout=10).ok for url in urls)
        return False


class Emulators:
    """One emulator of each service, with their data in one folder; any number of processes may share them.

    Args:
        folder: the folder of their objects and tables, which are kept until it is deleted.
        programs: the virtual environment that they are installed in.
    """

    def __init__(self, folder: Path, programs: Path = PROGRAMS) -> None:
        self._folder = folder.resolve()
        self._programs = programs
        self._state = self._folder / "running.json"
        self._output = self._folder / "output.log"

    def start(self) -> Addresses:
        """Start them unless they are running, and return their addresses.

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
            if running and running.answer():
                return running
            self._end()  # one of the two may still run without the other
            addresses = self._launch()
            START.wait_until(lambda: addresses.answer() or len(self._processes()) < len(addresses.processes))
            if addresses.answer():
                return addresses
            self._end()
        output = self._output.read_text(errors="replace")[-1000:].strip()
        raise CloudUnavailable("the emulators of Google Cloud", f"they do not start: {output or 'no output'}")

    @contextmanager
    def running(self) -> Generator[Addresses]:
        """Start them, yield their addresses, and stop them at the end of the block."""
        try:
            yield self.start()
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop them if they are running; their data stays in the folder."""
        if self._folder.exists():
            with self._lock():
                self._end()

    def _lock(self) -> FileLock:
        return FileLock(self._folder / "lock")

    def _running(self) -> Addresses | None:
        """Return the addresses that an earlier start has recorded, if any."""
        with suppress(FileNotFoundError, ValueError, TypeError):
            return Addresses(**json.loads(self._state.read_text()))
        return None

    def _processes(self) -> list[psutil.Process]:
        """Return the emulators' running processes. The command lines are compared, because process ids are reused."""
        running = self._running()
        found: list[psutil.Process] = []
        for number in running.processes if running else ():
            with suppress(psutil.Error):
                process = psutil.Process(number)
                if any(str(self._folder) in argument for argument in process.cmdline()):  # a zombie has none
                    found.append(process)
        return found

    def _end(self) -> None:
        processes = self._processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in psutil.wait_procs(processes, timeout=_STOP_SECONDS)[1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._state.unlink(missing_ok=True)

    def _launch(self) -> Addresses:
        storage, bigquery, grpc = _free_ports(3)
        data = self._folder / "bigquery"
        data.mkdir(exist_ok=True)
        self._output.unlink(missing_ok=True)
        addresses = Addresses(f"http://127.0.0.1:{storage}", f"http://127.0.0.1:{bigquery}", [])
        ports = (f"--rest-port={bigquery}", f"--grpc-port={grpc}")
        for command in (
            ("gcp-storage-emulator", f"--data-dir={self._folder}", "start", "--host=127.0.0.1", f"--port={storage}"),
            ("bqemulator", "start", "--persistent", f"--data-dir={data}", *ports, "--log-level=error"),
        ):
            addresses.processes.append(self._begin(*command))
            self._state.write_text(json.dumps(asdict(addresses)))  # after each one, so that it can be stopped
        return addresses

    def _begin(self, program: str, *arguments: str) -> int:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._programs),  # where DuckDB's extension is installed
            "PYTHONPATH": str(Path(__file__).parent / "python"),
            "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false",  # the extensions would be downloaded
            "BQEMU_GCS_LOCAL_ROOT": str(self._folder / ".cloudstorage"),  # the storage emulator's objects
        }
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [self._programs / "bin" / program, *arguments],
                env=environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must not reach them; this process stops them
            ).pid


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
