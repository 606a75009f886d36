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
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from taxi_platform.assistant.model import AnswerRefused
from taxi_platform.assistant.proposals import Files
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


@dataclass(frozen=True)
class Checked:
    """Files that passed every check: the copy they are in, their tidied texts, and the keys of the assets they add."""

    copy: Path
    files: Files
    assets: Sequence[str]


def require_working_copy() -> None:
    """Raise ``InvalidRequest`` where the project's tests or tools are missing, as in its image."""
    absent = [name for name in COPIED if not (PROJECT / name).exists()]
    absent += [name for name in TOOLS if not shutil.which(name, path=str(Path(sys.executable).parent))]
    if absent:
        what = f"this is not a working copy of the project: {', '.join(absent)} not found"
        raise InvalidRequest("new-asset", what, "Clone the project and install it with make.")


def validate(files: Files, known: Collection[str], approve: Callable[[Files], object]) -> Checked:
    """Tidy the files and check them in a copy of the project, which is removed unless they pass.

    ``known`` are the keys of the project's assets. ``approve`` is called with the tidied files before they are
    executed; it raises an error to prevent that.

    Raises:
        AnswerRefused: a tool found something wrong; the message has its output.
    """
    copy = Path(tempfile.mkdtemp(prefix="taxi-new-asset-"))
    try:
        _copy_project(copy)
        for path, text in files.items():
            (copy / path).write_text(text, encoding="utf-8")
        module, test = files
        run(["ruff", "check", "--quiet", "--fix", *files], copy)
        run(["ruff", "format", "--quiet", *files], copy)
        _require(["ruff", "check", "--quiet", "--output-format", "concise", *files], copy)
        _require(["pyright", module], copy)
        # Until here the files were only read.
        tidied = {path: (copy / path).read_text(encoding="utf-8") for path in files}
        approve(tidied)
        _require(["dg", "check", "defs"], copy)
        assets = _new_assets(copy, known)
        _require(["pytest", "-q", "-p", "no:cacheprovider", test], copy)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    return Checked(copy, tidied, assets)


def _copy_project(copy: Path) -> None:
    """Copy the project without its settings, data and history."""
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, copy)
    (copy / ".venv").symlink_to(sys.prefix)  # where pyright looks for the libraries
    (copy / "home").mkdir()
    (copy / "home/dagster.yaml").write_text("telemetry: {enabled: false}\n")


def _require(command: Sequence[str], copy: Path) -> None:
    passed, output = run(command, copy)
    if not passed:
        raise AnswerRefused("the proposal", f"{' '.join(command[:3])} failed:\n{output}")


def _new_assets(copy: Path, known: Collection[str]) -> Sequence[str]:
    keys_file = copy / "home/assets.json"
    _require([sys.executable, "-c", _KEYS, str(keys_file)], copy)
    keys: list[str] = json.loads(keys_file.read_text())
    lost = sorted(set(known) - set(keys))
    if lost:
        raise AnswerRefused("the proposal", f"it removes these assets: {', '.join(lost)}")
    new = sorted(set(keys) - set(known))
    if not new:
        what = "it adds no asset. Leave the assets at the module's level, or return them from @dg.definitions"
        raise AnswerRefused("the proposal", what)
    return new


def run(command: Sequence[str], copy: Path, seconds: float = SECONDS) -> tuple[bool, str]:
    """Run a program in a copy of the project, and return whether it succeeded and the end of its output."""
    home = copy / "home"  # without any log-ins
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(copy),
        "TAXI_DATA_DIR": str(home / "data"),
        "TAXI_SOURCE": "sample:0.001",
        "VIRTUAL_ENV": sys.prefix,
        "LANG": "C.UTF-8",
    }
    with tempfile.TemporaryFile() as output:  # not a pipe, which a process that escapes would keep open
        process = subprocess.Popen(
            command,
            cwd=copy,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            passed, late = process.wait(seconds) == 0, ""
        except subprocess.TimeoutExpired:
            passed, late = False, f"\nIt did not end within {seconds:g} s."
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with everything that it has started
            process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace").replace(f"{copy}/", "")
        return passed, text[-SHOWN:].strip() + late
