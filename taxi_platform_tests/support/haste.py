"""Shorter waits and cheaper starts for the services of a stack, in the copies of the files that it runs.

Heartbeats come ten times as often, and the timeout is a tenth, so it is as many heartbeats as before. The process of a
run is forked from one that has loaded the definitions, which takes a tenth of the time; it is still its own process,
with the same parents, and ends in the same way.
"""

import re
import shutil
from pathlib import Path

from taxi_platform.settings import PROJECT

# A folder for PYTHONPATH; its files say what they do.
PYTHON = Path(__file__).parent / "python"
COMPILED = "taxi_platform/dbt/compiled"

# Files of the image below its root, each with a pattern whose group is replaced by a shorter wait.
SHORTER = (
    ("opt/dagster/dagster.yaml", r"poll_interval_seconds: (15)", "1"),
    ("opt/dagster/dagster.yaml", r"start_timeout_seconds: (180)", "30"),
    ("app/taxi_platform/ledger/heartbeats.py", r"HEARTBEAT_SECONDS = (10\.0)", "1.0"),
    ("app/taxi_platform/ledger/heartbeats.py", r"TIMEOUT_SECONDS = (60\.0)", "6.0"),
    ("app/taxi_platform/orchestration/launcher.py", r"READY_SECONDS = (20\.0)", "5.0"),
    ("app/taxi_platform/operations/lost_retries.py", r"WAIT = timedelta\(seconds=(60)\)", "10"),
)
# The Python of a daemon runs this first.
DAEMON = """
import hasty_daemon
"""
# The Python of a code server runs this first, and so does the process from which its runs are forked.
CODE = """
import multiprocessing.forkserver, sys
_get_context = multiprocessing.get_context
multiprocessing.get_context = lambda method=None: _get_context("forkserver" if method == "spawn" else method)
multiprocessing.set_forkserver_preload(["loaded_definitions"])
if "grpc" in sys.orig_argv:
    multiprocessing.forkserver.ensure_running()
"""


def make_haste(root: Path) -> None:
    """Shorten the waits of the files below a root."""
    for name, pattern, number in SHORTER:
        path = root / name
        text, count = re.subn(pattern, lambda found, to=number: found[0].replace(found[1], to), path.read_text())
        assert count == 1, f"{name} has changed: {pattern} matches {count} times"
        path.write_text(text)


def lay_manifests(root: Path) -> None:
    """Copy the manifests that the image compiles to the files below a root, if `make` has compiled them."""
    if (PROJECT / COMPILED).exists():
        shutil.copytree(PROJECT / COMPILED, root / "app" / COMPILED)


def lay_prelude(folder: Path, lines: str = "") -> None:
    """Create a folder for ``PYTHONPATH`` whose Python first runs the lines of all tests, then these."""
    shutil.copytree(PYTHON, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "sitecustomize.py").open("a") as file:
        file.write(lines)
