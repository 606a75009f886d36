"""Checks of this machine: the installation, the settings as they were written, the data folder, the ports."""

import json
import os
import platform
import pwd
import re
import shutil
import socket
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import psutil
import requests
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from taxi_platform.errors import TaxiError
from taxi_platform.operations.doctor import Finding, ok, problem, problem_of, warning
from taxi_platform.settings import FILES, IS_CHECKOUT, PROJECT, Settings, dotenv, environment, fields
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SERVICES

PACKAGE = "taxi-platform"
INSTALL = (
    "Run `make install`, which installs every extra in the versions of requirements.lock."
    if IS_CHECKOUT
    else f"Install it again with `--constraint {FILES}/requirements.lock`, which names the tested versions."
)
ACTIVATE = "Run `. .venv/bin/activate` in the project's folder, in every new shell."

# Set by the tests and by the Compose file itself, not by people.
INTERNAL_NAMES = re.compile(r"TAXI_(TEST_\w+|SCREENSHOT|CODE_HOST|CODE_PORT)")

GIB = 1 << 30
# The largest months (yellow, 7.7 million trips) are files of 130 MB and tables of 1.2 GB; a month is filled beside the
# one that it replaces, and PostgreSQL keeps up to 4 GB of its write-ahead log.
LEAST, COMFORTABLE = 2 * GIB, 10 * GIB
OTHER_DISK = "Free space there, or set TAXI_DATA_DIR to a folder on another disk."

WEB_PORT = 3000
PORT_SECONDS = 3.0
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def examine_installation(settings: Settings) -> Iterator[Finding]:
    """Compare Python and the installed packages with those that the project needs."""
    yield check_python(platform.python_version(), metadata.metadata(PACKAGE)["Requires-Python"] or "")
    installed = {dist.metadata["Name"].lower().replace("_", "-"): dist.version for dist in metadata.distributions()}
    locked = (FILES / "requirements.lock").read_text(encoding="utf-8").splitlines()
    yield from check_packages(installed, metadata.requires(PACKAGE) or [], locked)
    yield check_extras(installed, metadata.requires(PACKAGE) or [])
    origin = json.loads(metadata.distribution(PACKAGE).read_text("direct_url.json") or "{}")
    place = url2pathname(urlsplit(str(origin.get("url", ""))).path)
    if not IS_CHECKOUT:  # as a tool of uv it has no other command than `taxi`
        return
    if Path(place).resolve() != PROJECT:  # definitions and dagster.yaml are read from this folder
        yield problem(f"the package is installed from {place}, not from {PROJECT}", INSTALL)
    yield from check_path(shutil.which("dagster"), Path(sys.prefix))


def check_python(version: str, wanted: str) -> Finding:
    """Check that the project supports this version of Python."""
    if Version(version) in SpecifierSet(wanted):
        return ok(f"Python {version}")
    return problem(f"Python {version}, but {wanted} is needed", "Run `make clean`, then `make demo PYTHON=python3.12`.")


def check_packages(installed: Mapping[str, str], wanted: Sequence[str], locked: Sequence[str]) -> Iterator[Finding]:
    """Check that every needed package is installed in a version that fits, and whether it is the locked one."""
    needed = _requirements(wanted)
    missing = sorted(need.name for need in needed if need.name.lower() not in installed)
    wrong = [need for need in needed if need.name not in missing and not _fits(need, installed)]
    if missing:
        yield problem(f"not installed: {', '.join(missing)}", INSTALL)
    if wrong:
        listed = sorted(f"{need.name} {installed[need.name.lower()]} (needed: {need.specifier})" for need in wrong)
        yield problem(f"of the wrong version: {', '.join(listed)}", INSTALL)
    # A new virtual environment has its own setuptools.
    pins = [pin for pin in _requirements(locked) if pin.name.lower() in installed and pin.name != "setuptools"]
    other = sorted(f"{pin.name} {installed[pin.name.lower()]}" for pin in pins if not _fits(pin, installed))
    if other and not wrong:
        yield warning(f"{len(other)} packages are not of the tested version: {', '.join(other[:5])}", INSTALL)
    if not missing and not wrong and not other:
        yield ok(f"{len(needed)} packages of pyproject.toml with their dependencies, as in requirements.lock")


def check_extras(installed: Mapping[str, str], wanted: Sequence[str]) -> Finding:
    """Say which extras are installed, and which are not."""
    extras = sorted(metadata.metadata(PACKAGE).get_all("Provides-Extra") or [])
    complete = [
        extra for extra in extras if {need.name.lower() for need in _requirements(wanted, extra)} <= {*installed}
    ]
    others = [extra for extra in extras if extra not in complete]
    return ok(f"extras: {', '.join(complete) or 'none'}" + (f"; not installed: {', '.join(others)}" if others else ""))


def check_path(command: str | None, environment: Path) -> Iterator[Finding]:
    """Check that ``dagster``, typed in this shell, is the one of this project's environment."""
    if command is None:
        yield warning("this shell does not find the command dagster", ACTIVATE)
    elif Path(command).parent.resolve() != (environment / "bin").resolve():
        yield warning(f"`dagster`, typed here, is {command}, not this project's", ACTIVATE)


def _requirements(lines: Sequence[str], extra: str = "") -> list[Requirement]:
    parsed = [Requirement(line) for line in lines if line]
    return [need for need in parsed if need.marker is None or need.marker.evaluate({"extra": extra})]


def _fits(need: Requirement, installed: Mapping[str, str]) -> bool:
    return need.specifier.contains(installed[need.name.lower()], prereleases=True)


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Check the values, then the names and the lines of ``.env``."""
    try:
        for service in SERVICES.values():
            month_range(settings, service)
    except TaxiError as error:
        yield problem_of(error)
    example = (FILES / ".env.example").read_text(encoding="utf-8")
    known = {*fields(), *re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE)}
    yield from find_unknown({**dotenv(), **environment()}, known)
    for name, value in dotenv().items():
        if name in fields() and environment().get(name, value) != value:
            yield warning(f"{name} is set in this shell, which overrides the value in .env", f"Run `unset {name}`.")
    chosen = sorted(name for name in fields() if environment().get(name))
    yield ok(f"set and valid: {', '.join(chosen)}" if chosen else "none is set, so the defaults apply")


def find_unknown(names: Collection[str], known: Collection[str]) -> Iterator[Finding]:
    """Yield a warning for each name that looks like a setting and is not one."""
    for name in sorted(names):
        if name in known or INTERNAL_NAMES.fullmatch(name) or not name.upper().startswith(("TAXI_", "GCP_")):
            continue
        near = get_close_matches(name.upper(), known, n=1, cutoff=0.75)
        if near:
            yield warning(f"{name} is not a setting", f"Did you mean {near[0]}?")
        elif name.startswith("TAXI_"):
            yield warning(f"{name} is not a setting", "See .env.example for the settings.")


def examine_data_folder(settings: Settings) -> Iterator[Finding]:
    """Check that the folder can be written by this user and has space for a month; it is not created."""
    folder = settings.data_dir
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir():
        yield problem(f"{existing} is a file, and {folder} should be a folder", "Move the file, or set TAXI_DATA_DIR.")
        return
    owner, user = _user_name(existing.stat().st_uid), _user_name(os.geteuid())
    if not os.access(existing, os.W_OK | os.X_OK):
        advice = f"Work as {owner}, or set TAXI_DATA_DIR to a folder of your own."
        yield problem(f"{existing} belongs to {owner}, and {user} may not write there", advice)
    elif existing == folder:
        yield ok(f"{folder}, which can be written")
        parts = {_user_name(path.stat().st_uid) for path in (folder, *folder.iterdir())} - {user}
        if parts:
            yield warning(
                f"parts of {folder} belong to {', '.join(sorted(parts))}, and this is {user}",
                f"Work as one user, or `chown -R {user} {folder}` (not its postgres/data, if root created it).",
            )
    else:
        yield ok(f"{folder} does not exist yet; the first command that needs it creates it")
    yield check_space(shutil.disk_usage(existing).free)


def check_space(free: int) -> Finding:
    """Check that this many free bytes are enough for a month."""
    size = f"{free / GIB:.1f} GiB free"
    if free < LEAST:
        return problem(f"{size}: too little for a large month, which needs {LEAST / GIB:.0f}", OTHER_DISK)
    if free < COMFORTABLE:
        return warning(f"{size}: enough for some months", OTHER_DISK)
    return ok(size)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def examine_ports(settings: Settings) -> Iterator[Finding]:
    """Check the port of ``dagster dev``, and that of ``TAXI_WEB_URL`` if it is on this machine."""
    web = urlsplit(settings.web_url)
    own = [web.port or 80] if web.hostname in LOCAL_HOSTS else []
    for port in sorted({WEB_PORT, *own}):
        yield check_port(port)


def check_port(port: int) -> Finding:
    """Check whether a port of this machine is free, or who listens on it."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PORT_SECONDS).close()
    except OSError:
        return ok(f"port {port} is free for the web UI")
    version = _find_web_ui(port)
    if version:
        return ok(f"the web UI (Dagster {version}) is on http://127.0.0.1:{port}")
    return warning(
        f"port {port} is taken by {_find_listener(port)}",
        f"End it, or start the web UI on another port: `dagster dev --port {port + 1}`.",
    )


def _find_web_ui(port: int) -> str | None:
    """Return the version of the web UI that answers on a port, or None."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/server_info", timeout=PORT_SECONDS).json()
        return str(answer["dagster_webserver_version"])
    except (requests.RequestException, ValueError, LookupError, TypeError):
        return None


def _find_listener(port: int) -> str:
    """Return the program that listens on a port."""
    with suppress(psutil.Error):  # on some systems only root may see it
        for entry in psutil.net_connections("tcp"):
            if entry.status == psutil.CONN_LISTEN and entry.pid and entry.laddr and entry.laddr.port == port:
                return f"{psutil.Process(entry.pid).name()} (process {entry.pid})"
    return "another program"
