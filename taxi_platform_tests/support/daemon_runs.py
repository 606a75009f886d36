"""A deployment for tests: a daemon, a code server and the runs' processes, which tests can kill.

    with Deployment(tmp_path, state, TAXI_SOURCE="sample:0.001", TAXI_POSTGRES_URL=database) as deployment:
        run_id = deployment.submit("green_tripdata", "2019-03")
        assert deployment.wait_for(run_id).status == dg.DagsterRunStatus.SUCCESS

The instance's state is in the test's own database; ``dagster.yaml`` is the project's, with shorter waits if a test sets
them.
"""

import asyncio
import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.execution.submit_asset_runs import submit_asset_run
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from taxi_platform.settings import PROJECT, settings
from taxi_platform_tests.support.haste import CODE, DAEMON, lay_prelude
from taxi_platform_tests.support.shell import environment, kept_connections

TIMEOUT = 400  # seconds, for what takes a few on an idle machine


class Deployment:
    """A daemon and a code server on one state.

    Attributes:
        instance: the instance, opened by this process.
        home: its DAGSTER_HOME.
        data: its TAXI_DATA_DIR.
    """

    instance: dg.DagsterInstance

    def __init__(
        self, folder: Path, state: str, config: Mapping[str, Any] | None = None, prelude: str = "", **values: str
    ) -> None:
        """Prepare a deployment; entering the context starts it.

        Args:
            folder: where logs and data go.
            state: the database of the instance's state.
            config: what differs from ``dagster.yaml``, by section.
            prelude: lines of Python that every process runs at its start, after those of ``haste``.
            values: the settings.
        """
        self._folder = folder
        self.data = folder / "data"
        self.home = folder / "dagster"
        self._values = {**values, "TAXI_DAGSTER_POSTGRES_URL": state}
        self._config = config or {}
        self._prelude = prelude
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._orphans: list[psutil.Process] = []
        self._context: WorkspaceProcessContext | None = None

    def __enter__(self) -> "Deployment":
        self.home.mkdir()
        self.data.mkdir()
        known = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
        for section, values in self._config.items():
            known[section] = {**known.get(section, {}), **values}
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(known))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        server = {"grpc_server": {"host": "127.0.0.1", "port": self._port, "location_name": "taxi_platform"}}
        self._workspace = self._folder / "workspace.yaml"
        self._workspace.write_text(yaml.safe_dump({"load_from": [server]}))
        for name, lines in {"": "", "code server": CODE, "daemon": DAEMON}.items():
            lay_prelude(self.prelude(name), lines + self._prelude)
        patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("TAXI_DAGSTER_POSTGRES_URL", self._values["TAXI_DAGSTER_POSTGRES_URL"])
        self._stack.callback(settings.cache_clear)
        settings.cache_clear()
        self._stack.enter_context(kept_connections())
        self.instance = self._stack.enter_context(dg.DagsterInstance.from_config(str(self.home)))
        try:
            self.start_code_server()
            workspace = WorkspaceProcessContext(self.instance, WorkspaceFileTarget([str(self._workspace)]))
            self._context = self._stack.enter_context(workspace)
            self.start_daemon()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        family = [*self._orphans, *(one for process in self._processes.values() for one in _family(process.pid))]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        for process in self._processes.values():
            process.wait()
        psutil.wait_procs(family, timeout=10)

    def start_code_server(self) -> None:
        """Start the code server, and wait until it serves."""
        place = ["-h", "127.0.0.1", "-p", str(self._port), "--location-name", "taxi_platform"]
        (self._folder / "code server.log").unlink(missing_ok=True)
        self._start("code server", "api", "grpc", "-m", "taxi_platform.definitions", *place)
        self.wait_until(lambda: "Started Dagster code server" in self.log("code server"))
        if self._context:
            self._context.refresh_workspace()

    def prelude(self, name: str = "") -> Path:
        """Return the folder for the ``PYTHONPATH`` of a process, or of a command."""
        return self._folder / "preludes" / name

    def start_sensor(self, name: str) -> None:
        """Turn a sensor on, as the web UI does."""
        assert self._context
        (location,) = self._context.create_request_context().code_locations
        self.instance.start_sensor(next(iter(location.get_repositories().values())).get_sensor(name))

    def start_daemon(self) -> None:
        """Start the daemon, without waiting for its first heartbeat."""
        self._start("daemon", "_daemon_", "run", "-w", str(self._workspace))

    def kill(self, name: str) -> None:
        """Kill a process, but not those that it has started."""
        self._orphans += psutil.Process(self._processes[name].pid).children(recursive=True)
        self._processes[name].kill()
        self._processes[name].wait()

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        path = self._folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def submit(self, asset: str, month: str, tags: Mapping[str, str] | None = None) -> str:
        """Put a run into the queue, as a sensor's run request would, and return its id."""
        key = dg.AssetKey.from_user_string(asset)
        request = dg.RunRequest(
            asset_selection=[key], partition_key=month, tags={"dagster/partition": month, **(tags or {})}
        )
        assert self._context
        workspace = self._context.create_request_context()
        logger = logging.getLogger("test")
        run = submit_asset_run(None, request, 0, self.instance, self._context, workspace, {}, {}, logger)
        return asyncio.run(run).run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        """Return the run in its current state."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def wait_for(self, run_id: str) -> dg.DagsterRun:
        """Wait until the run has finished, and return it."""
        self.wait_until(lambda: self.run(run_id).is_finished)
        return self.run(run_id)

    def retries(self, run_id: str) -> list[dg.DagsterRun]:
        """Return the runs that were started as retries of a run."""
        _, group = self.instance.get_run_group(run_id) or ("", [])
        return [run for run in group if run.parent_run_id == run_id]

    def messages(self, run_id: str) -> str:
        """Return all messages of a run's event log."""
        return "\n".join(entry.message for entry in self.instance.all_logs(run_id))

    def worker(self, run_id: str) -> psutil.Process:
        """Return the process that executes a run."""
        started = re.search(r"Started process for run \(pid: (\d+)\)", self.messages(run_id))
        assert started
        return psutil.Process(int(started[1]))

    def wait_until(self, happens: Callable[[], object], seconds: float = TIMEOUT) -> None:
        """Poll until something happens; fail with the processes' logs if it does not."""
        deadline = time.monotonic() + seconds
        while not happens():
            if time.monotonic() > deadline:
                logs = "\n".join(f"== {name}\n{self.log(name)[-5000:]}" for name in self._processes)
                pytest.fail(f"it did not happen within {seconds} s\n{logs}")
            time.sleep(0.2)

    def _start(self, name: str, *arguments: str) -> None:
        command: Sequence[str] = ["-m", "dagster", *arguments]
        if arguments[0] == "_daemon_":
            command = ["-m", "dagster._daemon", *arguments[1:]]
        own = {"DAGSTER_HOME": str(self.home), "PYTHONPATH": str(self.prelude(name)), "PATH": os.environ["PATH"]}
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *command],
                cwd=PROJECT,
                env={**environment(self.data, **self._values), **own},
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []
