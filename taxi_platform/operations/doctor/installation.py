"""Python, the packages, and whether the commands that a person types are those of this project."""

import json
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from taxi_platform.operations.doctor.findings import Finding, ok, problem, warning
from taxi_platform.settings import PROJECT, Settings

PACKAGE = "taxi-platform"
INSTALL = "Run `make test` or `make demo`, which install what requirements.lock says."
_LIBRARY_OFFSET = 16  # Dagster's libraries are 0.(16 + x).y where Dagster itself is 1.x.y


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at Python and what is installed beside this package."""
    known = metadata.metadata(PACKAGE)
    yield python(platform.python_version(), known["Requires-Python"] or "")
    installed = {dist.metadata["Name"].lower().replace("_", "-"): dist.version for dist in metadata.distributions()}
    locked = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    yield from packages(installed, metadata.requires(PACKAGE) or [], locked)
    yield from in_step(installed)
    yield from _editable()
    yield from on_the_path(shutil.which("dagster"), Path(sys.prefix))


def python(version: str, wanted: str) -> Finding:
    """Whether Python is of a version that the project is made for."""
    if Version(version) in SpecifierSet(wanted):
        return ok(f"Python {version}")
    return problem(f"Python {version}, and {wanted} is wanted", "Run `make clean`, then `make demo PYTHON=python3.12`.")


def packages(installed: Mapping[str, str], wanted: Sequence[str], locked: Sequence[str]) -> Iterator[Finding]:
    """Whether what the project needs is there, in a version that it takes; and whether it is the locked one.

    Args:
        installed: versions by name, names in lower case with dashes.
        wanted: the requirements of ``pyproject.toml``.
        locked: the lines of ``requirements.lock``.
    """
    needed = [one for text in wanted if _applies(one := Requirement(text))]
    missing = sorted(one.name for one in needed if one.name.lower() not in installed)
    unfit = sorted(
        f"{one.name} {installed[one.name.lower()]} (wanted: {one.specifier})"
        for one in needed
        if one.name.lower() in installed and not one.specifier.contains(installed[one.name.lower()], prereleases=True)
    )
    if missing:
        yield problem(f"not installed: {', '.join(missing)}", INSTALL)
    if unfit:
        yield problem(f"of the wrong version: {', '.join(unfit)}", INSTALL)
    pins = [one for text in locked if text and _applies(one := Requirement(text))]
    other = sorted(
        f"{one.name} {installed[one.name.lower()]}"
        for one in pins
        if one.name.lower() in installed and not one.specifier.contains(installed[one.name.lower()], prereleases=True)
    )
    if other and not unfit:
        yield warning(f"{len(other)} packages are not of the tested version: {', '.join(other[:5])}", INSTALL)
    if not missing and not unfit and not other:
        yield ok(f"{len(needed)} packages of pyproject.toml and all that they need, as requirements.lock says")


def in_step(installed: Mapping[str, str]) -> Iterator[Finding]:
    """Whether Dagster's parts are of one release: they pin each other exactly, and fail in strange ways when mixed."""
    core = installed.get("dagster")
    if core is None:
        return
    major, minor, *patch = core.split(".")
    fitting = {core, ".".join(["0", str(int(minor) + _LIBRARY_OFFSET), *patch])} if major == "1" else {core}
    parts = {name: version for name, version in installed.items() if name.startswith("dagster")}
    odd = sorted(f"{name} {version}" for name, version in parts.items() if version not in fitting)
    if odd:
        yield problem(f"dagster is {core}, and of another release: {', '.join(odd)}", INSTALL)
    else:
        yield ok(f"Dagster {core}, all of its libraries in step")


def on_the_path(command: str | None, environment: Path) -> Iterator[Finding]:
    """Whether ``dagster``, typed in this shell, is the one of this project's environment."""
    activate = "Run `. .venv/bin/activate` in the project's folder, in every new shell."
    if command is None:
        yield warning("this shell does not find the command dagster", activate)
    elif Path(command).parent.resolve() != (environment / "bin").resolve():
        yield warning(f"`dagster`, typed here, is {command}, and not this project's", activate)


def _editable() -> Iterator[Finding]:
    """Whether the code that runs is that of this folder: definitions and dagster.yaml are read from there."""
    origin = json.loads(metadata.distribution(PACKAGE).read_text("direct_url.json") or "{}")
    place = url2pathname(urlsplit(str(origin.get("url", ""))).path)
    if not origin.get("dir_info", {}).get("editable"):
        yield warning("the package is installed as a copy, so changes of its code do nothing", INSTALL)
    elif Path(place).resolve() != PROJECT:
        yield problem(f"the package is installed from {place}, and not from {PROJECT}", INSTALL)


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})
