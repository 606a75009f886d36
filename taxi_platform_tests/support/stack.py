"""The services of docker-compose.yml as processes of this machine, each with its own command and environment.

    with Stack(TAXI_SOURCE="sample:0.001") as stack:
        backfill = stack.graphql(LAUNCH, ...)
        stack.kill("daemon")            # like `docker kill`: the service and all that it has started
        stack.start("daemon")
        stack.wait(lambda: ...)         # meanwhile services that end are started again, like Compose does

One folder stands for the file systems of all containers. It has the files that deploy/Dockerfile copies and nothing
else of the project, so that a file that the image lacks is missing here, too.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import psutil
import requests

from deploy.emulators.servers import PROGRAMS
from taxi_platform.settings import PROJECT
from taxi_platform_tests.support import compose, image
from taxi_platform_tests.support.haste import CODE, DAEMON, lay_manifests, lay_prelude, make_haste
from taxi_platform_tests.support.postgres_image import PostgresImage
from taxi_platform_tests.support.small_disk import SmallDisk
from taxi_platform_tests.support.this_machine import OnThisMachine, is_open

OURS = "taxi-platform:"
EMULATORS = "taxi-emulators:"
PASSWORDS = {"POSTGRES_PASSWORD": "5uper", "TAXI_DB_PASSWORD": "tr1ps", "DAGSTER_DB_PASSWORD": "d4gs"}
START_SECONDS = 180
PRELUDES = "preludes"
MARK = "TAXI_STACK_SERVICE"


class Stack:
    """The services, running while the context is open.

    Args:
        profiles: the profiles of docker-compose.yml to start as well.
        disks: small disks for folders of ``root``, by MiB; without the right to mount, the usual disk.
        variables: the variables of ``.env`` besides the passwords.

    Attributes:
        services: the services, by name.
        root: the folder that stands for ``/`` of every container.
        disks: the small disks that were mounted.
    """

    def __init__(self, *profiles: str, disks: Mapping[str, int] | None = None, **variables: str) -> None:
        self.services = compose.services(PASSWORDS | variables, profiles)
        self.root = Path(tempfile.mkdtemp(prefix="stack-"))
        self.root.chmod(0o755)
        self._here = OnThisMachine(self.root, self.services.values())
        self._mark = uuid4().hex
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.disks: dict[str, SmallDisk] = {}
        for folder in ("app", "data", "postgres", "google", "google/bigquery"):
            (self.root / folder).mkdir()
        for folder, mib in (disks or {}).items():
            with suppress(PermissionError):
                self.disks[folder] = SmallDisk(self.root / folder, mib)
        self._postgres = PostgresImage(self.root / "postgres")

    def __enter__(self) -> "Stack":
        image.unpack(self.root)
        make_haste(self.root)
        lay_manifests(self.root)
        for service in self.services.values():
            folder = self.root / PRELUDES / service.name
            lay_prelude(folder, {"code": CODE, "daemon": DAEMON}.get(service.name, ""))
            for inside, outside in service.files.items():
                place = self.root / inside.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(self._here((PROJECT / outside).read_text(encoding="utf-8")), encoding="utf-8")
        try:
            self.start_all()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in reversed(list(self._processes)):
            self.kill(name)
        for disk in self.disks.values():
            disk.remove()
        shutil.rmtree(self.root)

    def start(self, name: str) -> None:
        """Start a service, without waiting until it is healthy."""
        service = self.services[name]
        environment = self.environment(name)
        command = [self._here(word) for word in service.command]
        how: dict[str, Any] = {}
        if name == "postgres":
            port = self.port(5432)
            self._postgres.make(service.command, port, environment, [PROJECT / path for path in service.files.values()])
            command, how = self._postgres.server(service.command, port), self._postgres.account.arguments()
        with self.log_file(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                cwd=self.root / "app" if service.image.startswith(OURS) else self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **how,
            )

    def kill(self, name: str) -> None:
        """Kill a service and all processes that it has started (``kill -9``), as the end of its container would."""
        while family := self.processes(name):
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._processes[name].wait()
            psutil.wait_procs(family, timeout=5)
        self._processes.pop(name).wait()

    def processes(self, name: str) -> list[psutil.Process]:
        """Return every process of a service, the oldest first: those with its mark, and their children."""
        found: set[psutil.Process] = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK) == f"{self._mark}/{name}":
                    found |= {process, *process.children(recursive=True)}  # PostgreSQL hides its children's
        return sorted((one for one in found if one.is_running()), key=lambda one: one.create_time())

    def is_healthy(self, name: str) -> bool:
        """Return whether the service's health check passes; it is run only if the service listens on its ports."""
        service = self.services[name]
        if not all(is_open(self.port(port)) for port in service.ports):
            return False
        check = [self._here(word) for word in service.healthcheck]
        done = subprocess.run(check, env=self.environment(name), cwd=self.root / "app", capture_output=True)
        return done.returncode == 0

    def wait_until_healthy(self, *names: str) -> None:
        """Wait until these services are healthy, as ``depends_on`` does."""
        for name in names:
            # A health check takes a second of processor time, hence the long pause.
            self.wait(partial(self.is_healthy, name), f"{name} healthy", pause=2)

    def wait(
        self, condition: Callable[[], object], what: str, seconds: float = START_SECONDS, pause: float = 0.5
    ) -> None:
        """Wait until the condition is true. A service that ends meanwhile is started again.

        Raises:
            AssertionError: the time is over; the message has the last lines of all logs.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            for name, process in list(self._processes.items()):
                if process.poll() is not None:
                    self.kill(name)
                    self.start(name)
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.logs()}"
            time.sleep(pause)

    def execute(self, name: str, command: str) -> str:
        """Run a command beside a service, like ``docker compose exec``, and return what it prints.

        Raises:
            AssertionError: it fails; the message has its output.
        """
        words = [self._here(word) for word in shlex.split(command)]
        how: dict[str, Any] = {"cwd": self.root / "app", "env": self.environment(name), "text": True, "timeout": 300}
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the web server's response, or raise its error."""
        answer = requests.post(self.url(3000) + "/graphql", json={"query": query, "variables": variables}, timeout=180)
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a service's container for this machine, with the mark of its processes."""
        service = self.services[name]
        ours = service.image.startswith(OURS)
        variables = {**(image.environment() if ours else {}), **service.environment}
        own = {key: self._here(value) for key, value in variables.items()}
        if name == "postgres":
            own["PATH"] = self._postgres.search_path
        if service.image.startswith(EMULATORS):
            own |= {"PATH": f"{PROGRAMS}/bin", "HOME": str(PROGRAMS)}
        # In the image, the installed package is a link to /app; on this machine, to the project, which has more files.
        folders = ["app", f"{PRELUDES}/{name}"]
        link = {"PYTHONPATH": ":".join(str(self.root / folder) for folder in folders), "HOME": str(self.root / "data")}
        return {"PATH": os.environ["PATH"], **(link if ours else {}), **own, MARK: f"{self._mark}/{name}"}

    def port(self, number: int) -> int:
        """Return this machine's port of a service by the port in its container."""
        return self._here.ports[number]

    def url(self, number: int) -> str:
        """Return the URL of a service by the port in its container."""
        return f"http://127.0.0.1:{self.port(number)}"

    def log_file(self, name: str) -> Path:
        """Return the log file of a service."""
        return self.root / f"{name}.log"

    def logs(self, lines: int = 40) -> str:
        """Return the last lines of every service's log."""
        ends = {name: self.log_file(name).read_text(errors="replace").splitlines()[-lines:] for name in self._processes}
        return "\n".join(f"--- {name}\n" + "\n".join(end) for name, end in ends.items())

    def start_all(self) -> None:
        """Start every service as soon as those that it depends on are healthy."""
        healthy: set[str] = set()
        waiting = dict(self.services)
        while waiting:
            ready = [name for name, service in waiting.items() if healthy.issuperset(service.depends_on)]
            assert ready, f"services that wait for each other: {sorted(waiting)}"
            for name in ready:
                self.start(name)
                del waiting[name]
            self.wait_until_healthy(*ready)
            healthy.update(ready)
