"""Whether proposed files are good: in a copy of the project, by the tools that its own files have to please."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from taxi_platform.assistant.proposals.children import run
from taxi_platform.assistant.proposals.files import ProposalRefused
from taxi_platform.errors import InvalidRequest
from taxi_platform.settings import PROJECT

COPIED = ("taxi_platform", "taxi_platform_tests", "pyproject.toml")
TOOLS = ("ruff", "pyright", "dg", "pytest")
CHECKS = "ruff, pyright, dg check defs, its test"
_KEYS = """
import json, sys
from taxi_platform.definitions import defs
with open(sys.argv[1], "w") as file:
    json.dump(sorted(spec.key.to_user_string() for spec in defs().resolve_all_asset_specs()), file)
"""


def require_working_copy() -> None:
    """Refuse where there is nothing to check a proposal with.

    Raises:
        InvalidRequest: the project's tests or its tools are not there, as in its image.
    """
    place = str(Path(sys.executable).parent)
    absent = [name for name in COPIED if not (PROJECT / name).exists()]
    absent += [name for name in TOOLS if not shutil.which(name, path=place)]
    if absent:
        what = f"this is no working copy of the project: {', '.join(absent)} not found"
        raise InvalidRequest("new-asset", what, "Clone the project and install it with make.")


def make_copy() -> Path:
    """A copy of the project outside of it, without its settings, data and history."""
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


def validate(files: Mapping[str, str], copy: Path, known: Sequence[str]) -> tuple[Mapping[str, str], Sequence[str]]:
    """Put the files into a copy of the project, tidy them up, and check them, which executes them.

    Args:
        files: texts by path, all of which may be made.
        copy: what ``make_copy`` has made, unused so far.
        known: the keys of the assets that the project has.

    Returns:
        The files as they are now, and the keys of the assets that they bring.

    Raises:
        ProposalRefused: with what the first tool that is not content says.
    """
    for path, text in files.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text, encoding="utf-8")
    definitions = [path for path in files if path.startswith("taxi_platform/")]
    tests = [path for path in files if path not in definitions]
    run(["ruff", "check", "--quiet", "--fix", *files], copy)
    run(["ruff", "format", "--quiet", *files], copy)
    # What only reads the files comes first; from dg on they are executed.
    _demand(["ruff", "check", "--quiet", "--output-format", "concise", *files], copy)
    _demand(["pyright", *definitions], copy)
    _demand(["dg", "check", "defs"], copy)
    new = _new_assets(copy, known)
    _demand(["pytest", "-q", "-p", "no:cacheprovider", *tests], copy)
    return {path: (copy / path).read_text(encoding="utf-8") for path in files}, new


def _demand(command: Sequence[str], copy: Path) -> None:
    content, said = run(command, copy)
    if not content:
        raise ProposalRefused("the proposal", f"{' '.join(command[:3])} is not content:\n{said}")


def _new_assets(copy: Path, known: Sequence[str]) -> Sequence[str]:
    listed = copy / "home/assets.json"
    _demand([sys.executable, "-c", _KEYS, str(listed)], copy)
    keys: list[str] = json.loads(listed.read_text())
    lost = sorted(set(known) - set(keys))
    if lost:
        raise ProposalRefused("the proposal", f"with it these assets are gone: {', '.join(lost)}")
    new = sorted(set(keys) - set(known))
    if not new:
        raise ProposalRefused(
            "the proposal",
            "it brings no asset. Leave the assets at the module's level, or return all that a module defines from one "
            "function with @dg.definitions",
        )
    return new
