"""The dbt project's files, and its manifest, which is made of them when it is missing.

A manifest is kept under a fingerprint of the files that it was made of, so that an edited model never meets an old one.
The image brings its own along; a fresh clone makes it once, without a network and without a database.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from taxi_platform.failures import BrokenModels

FOLDER = Path(__file__).parents[1] / "dbt"
MANIFEST = "manifest.json"
PARTIAL_PARSE = "partial_parse.msgpack"
_SOURCES = ("*.yml", "models/**/*", "macros/**/*", "seeds/**/*", "tests/**/*")
DBT = (sys.executable, "-m", "dbt.cli.main")  # the one of this Python, whatever PATH says
_PATIENCE = 300.0  # seconds: parsing takes five on two busy cores


def manifest_of(data_dir: Path, folder: Path = FOLDER) -> Path:
    """The manifest of the project's files as they are now, made if need be.

    Args:
        data_dir: where it is kept when the project's own folder cannot be written.
        folder: the dbt project.

    Raises:
        BrokenModels: dbt cannot read the project; the message names the file and the line.
    """
    name = fingerprint(folder)
    own, other = folder / "target" / name, data_dir / "dbt" / name
    for place in (own, other):
        if (place / MANIFEST).exists():
            return place / MANIFEST
    place = own if os.access(folder, os.W_OK) else other
    _make(folder, place)
    return place / MANIFEST


@cache
def read_manifest(path: Path) -> Mapping[str, Any]:
    """What a manifest says."""
    return json.loads(path.read_bytes())


def fingerprint(folder: Path = FOLDER) -> str:
    """A short hash of all files that the manifest is made of."""
    found = hashlib.sha256()
    for path in sorted({path for pattern in _SOURCES for path in folder.glob(pattern) if path.is_file()}):
        found.update(f"{path.relative_to(folder)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _make(folder: Path, place: Path) -> None:
    """Parse the project once, however many processes need it at the same time."""
    from filelock import FileLock

    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / "lock", timeout=_PATIENCE):
        if (place / MANIFEST).exists():
            return
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="new-") as new:
            _parse(folder, Path(new))
            place.mkdir(exist_ok=True)
            for name in (PARTIAL_PARSE, MANIFEST):  # the manifest last: where it is, all is
                (Path(new) / name).replace(place / name)


def _parse(folder: Path, target: Path) -> None:
    # Without the variables of the platform's targets, so that no secret can be in what is kept.
    hidden = ("TAXI_DBT_", "DBT_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(
        [*DBT, "--no-use-colors", "--no-version-check", "parse"],
        cwd=folder,
        env={**inherited, **quiet(target), "DBT_PROFILES_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise BrokenModels("dbt parse", done.stdout.strip(), f"The project is in {folder}.")


def quiet(target: Path) -> Mapping[str, str]:
    """The variables that make dbt keep what it writes in one folder, and tell nobody that it was used."""
    return {
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
