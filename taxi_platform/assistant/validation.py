"""Checking proposed files in a copy of the project, with the tools that the project's own files have to pass.

The tools run as processes without this one's secrets and with a time limit. This is not a sandbox.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from taxi_platform.assistant.proposals import Checked, Files, ProposalRefused
from taxi_platform.errors import InvalidRequest
from taxi_platform.settings import PROJECT

COPIED = ("taxi_platform", "taxi_platform_tests", "pyproject.toml")
TOOLS = ("ruff", "pyright", "dg", "pytest")
CHECKS = "ruff, pyright, dg check defs, its test"
SECONDS = 300.0  # ten times what the slowest tool takes; after that, a proposed file waits for something
SHOWN = 3000  # characters from the end of a tool's output, where the reason of a failure is
_KEYS = """
import json, sys
from taxi_platform.definitions import defs
with open(sys.argv[1], "w") as file:
    json.dump(sorted(spec.key.to_user_string() for spec in defs().resolve_all_asset_specs()), file)
"""


def require_working_copy() -> None:
    """Refuse to go on where the project's tests or tools are missing, as in its image.

    Raises:
        InvalidRequest: this is not a working copy of the project.
    """
    place = str(Path(sys.executable).parent)
    absent = [name for name in COPIED if not (PROJECT / name).exists()]
    absent += [name for name in TOOLS if not shutil.which(name, path=place)]
    if absent:
        what = f"this is not a working copy of the project: {', '.join(absent)} not found"
        raise InvalidRequest("new-asset", what, "Clone the project and install it with make.")


def make_copy() -> Path:
    """Copy the project to a temporary folder, without its settings, data and history."""
    copy = Path(tempfile.mkdtemp(prefix="taxi-new-asset-"))
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, copy)
    (copy / ".venv").symlink_to(sys.prefix)  # where pyright looks for the libraries
    (copy / "home").mkdir()
    (copy / "home/dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return copy


def validate(files: Files, copy: Path, known: Sequence[str], approve: Callable[[Files], object]) -> Checked:
    """Tidy the files and check them in a copy of the project.

    Args:
        files: files that a proposal may have.
        copy: an unused copy from ``make_copy``.
        known: the keys of the project's assets.
        approve: is called with the tidied files before they are executed; raises an error to prevent it.

    Raises:
        ProposalRefused: a tool found something wrong; the message has its output.
    """
    for path, text in files.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text, encoding="utf-8")
    definitions = [path for path in files if path.startswith("taxi_platform/")]
    tests = [path for path in files if path not in definitions]
    run(["ruff", "check", "--quiet", "--fix", *files], copy)
    run(["ruff", "format", "--quiet", *files], copy)
    _require(["ruff", "check", "--quiet", "--output-format", "concise", *files], copy)
    _require(["pyright", *definitions], copy)
    # Until here the files were only read.
    tidied = {path: (copy / path).read_text(encoding="utf-8") for path in files}
    approve(tidied)
    _require(["dg", "check", "defs"], copy)
    new = _new_assets(copy, known)
    _require(["pytest", "-q", "-p", "no:cacheprovider", *tests], copy)
    return tidied, new


def _require(command: Sequence[str], copy: Path) -> None:
    passed, output = run(command, copy)
    if not passed:
        raise ProposalRefused("the proposal", f"{' '.join(command[:3])} failed:\n{output}")


def _new_assets(copy: Path, known: Sequence[str]) -> Sequence[str]:
    keys_file = copy / "home/assets.json"
    _require([sys.executable, "-c", _KEYS, str(keys_file)], copy)
    keys: list[str] = json.loads(keys_file.read_text())
    lost = sorted(set(known) - set(keys))
    if lost:
        raise ProposalRefused("the proposal", f"it removes these assets: {', '.join(lost)}")
    new = sorted(set(keys) - set(known))
    if not new:
        raise ProposalRefused(
            "the proposal",
            "it adds no asset. Leave the assets at the module's level, or return all definitions of a module from one "
            "function with @dg.definitions",
        )
    return new


def run(command: Sequence[str], copy: Path, seconds: float = SECONDS) -> tuple[bool, str]:
    """Run a program in a copy of the project, and return whether it succeeded and the end of its output."""
    with tempfile.TemporaryFile() as output:  # not a pipe, which a process that escapes would keep open
        process = subprocess.Popen(
            command,
            cwd=copy,
            env=dict(_clean_environment(copy)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            passed = process.wait(seconds) == 0
            late = ""
        except subprocess.TimeoutExpired:
            passed, late = False, f"\nIt did not end within {seconds:g} s."
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with everything that it has started
            process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace").replace(f"{copy}/", "")
        return passed, text[-SHOWN:].strip() + late


def _clean_environment(copy: Path) -> Mapping[str, str]:
    """Return an environment without settings, passwords and keys, and with a home folder without any log-ins."""
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
