"""Programs that look at proposed files: in processes without the secrets of this one, and with a time limit."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SECONDS = 300.0  # the slowest of them takes a tenth of that; beyond, a proposed file waits for something
TOLD = 3000  # characters of the end of what a program says: what went wrong stands there


def clean_environment(copy: Path) -> Mapping[str, str]:
    """What a program finds in its environment: the copy of the project, an instance of its own, and no setting.

    Without the settings there are no passwords and keys; without the home folder, no log-ins of cloud and database.
    """
    home = copy / "home"
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(copy),
        "TAXI_DATA_DIR": str(home / "data"),
        "TAXI_SOURCE": "sample:0.001",
        "VIRTUAL_ENV": sys.prefix,
        "LANG": "C.UTF-8",
    }


def run(command: Sequence[str], copy: Path, seconds: float = SECONDS) -> tuple[bool, str]:
    """Run a program in a copy of the project, to its end or to its time's.

    Returns:
        Whether it is content, and the end of what it said.
    """
    with tempfile.TemporaryFile() as output:  # no pipe, which a process that gets away would keep open
        process = subprocess.Popen(
            command,
            cwd=copy,
            env=dict(clean_environment(copy)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            content = process.wait(seconds) == 0
            late = ""
        except subprocess.TimeoutExpired:
            content, late = False, f"\nIt did not end within {seconds:g} s."
        finally:
            _end(process)
        output.seek(0)
        return content, output.read().decode(errors="replace").replace(str(copy) + "/", "")[-TOLD:].strip() + late


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the program with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
