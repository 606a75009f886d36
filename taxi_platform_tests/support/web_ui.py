"""Dagster's web server, started by commands as users type them, and GraphQL requests to it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.shell import environment, require_activation, script

START_SECONDS = 120
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message } }
} } } }"""


@contextmanager
def started(command: str, data: Path, **settings: str) -> Iterator[str]:
    """Start a web UI, yield its URL once its code location is loaded, and end all its processes."""
    require_activation()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (data / "dev.log").open("w") as log:
        process = subprocess.Popen(
            script(f"exec {command} --host 127.0.0.1 --port {port}"),
            cwd=PROJECT,
            env=environment(data, **settings),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait_for(url, process, data / "dev.log")
        yield url
    finally:
        _end(process)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(requests.ConnectionError):
            entries = ask(url, LOCATIONS)["workspaceOrError"]["locationEntries"]
            if all(entry["loadStatus"] == "LOADED" for entry in entries):
                return
        time.sleep(0.2)
    pytest.fail(f"the web UI did not come up:\n{log.read_text()}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt the process, kill what is left of its group, and check that none of its children is alive."""
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in family if psutil.pid_exists(pid)], timeout=10)
    assert alive == []


def ask(url: str, query: str) -> dict[str, Any]:
    answer = requests.post(f"{url}graphql", json={"query": query}, timeout=180).json()
    assert "errors" not in answer, answer
    return answer["data"]


def refuses_other_sites(url: str) -> bool:
    """Return whether the web server has its guard; what the guard refuses is tested in stack/test_web_guard."""
    answer = requests.get(f"{url}graphql?query={{version}}", headers={"Sec-Fetch-Site": "cross-site"}, timeout=60)
    return answer.status_code == 403 and "other sites" in answer.text
