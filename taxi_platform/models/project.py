"""The dbt project's files, and its manifest, which is made of them when it is missing.

A manifest is kept under a fingerprint of the files that it was made of, so that an edited model never meets an old one.
The image brings its own along; a fresh clone makes it once, without a network and without a database.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from taxi_platform.errors import BrokenModels
from taxi_platform.models.lineage import Lineage, lineage_of
from taxi_platform.settings import environment

FOLDER = Path(__file__).parents[1] / "dbt"
MANIFEST = "manifest.json"
PARTIAL_PARSE = "partial_parse.msgpack"
LINEAGE = "lineage.json"
DONE = "done"  # an empty file, which is there when all the others are
TARGETS = ("postgres", "bigquery")
_SOURCES = ("*.yml", "models/**/*", "macros/**/*", "seeds/**/*", "tests/**/*")
# The one of this Python, whatever PATH says. That its package imports the module first is nobody's concern.
DBT = (sys.executable, "-W", "ignore::RuntimeWarning:runpy", "-m", "dbt.cli.main")
_PATIENCE = 300.0  # seconds: compiling for both targets takes ten, and more on busy cores


def manifest_of(data_dir: Path, target: str, folder: Path = FOLDER) -> Path:
    """The manifest of the project's files as they are now, made if need be.

    Args:
        data_dir: where it is kept when the project's own folder cannot be written.
        target: the target whose SQL it has, as ``profiles.yml`` calls it.
        folder: the dbt project.

    Raises:
        BrokenModels: dbt cannot read the project; the message names the file and the line.
    """
    name = fingerprint(folder)
    own, other = folder / "target" / name, data_dir / "dbt" / name
    place = next((one for one in (own, other) if (one / DONE).exists()), None)
    if place is None:
        place = own if os.access(folder, os.W_OK) else other
        _make(folder, place)
    return place / target / MANIFEST


def read_manifest(path: Path) -> Mapping[str, Any]:
    """What a manifest says."""
    return json.loads(path.read_bytes())


def read_lineage(manifest: Path) -> Lineage:
    """The columns' lineage in the models of a manifest."""
    return json.loads((manifest.parent / LINEAGE).read_bytes())


def fingerprint(folder: Path = FOLDER) -> str:
    """A short hash of all files that the manifest is made of."""
    found = hashlib.sha256()
    for path in sorted({path for pattern in _SOURCES for path in folder.glob(pattern) if path.is_file()}):
        found.update(f"{path.relative_to(folder)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _make(folder: Path, place: Path) -> None:
    """Compile the project for each target, once, however many processes need it at the same time."""
    from filelock import FileLock

    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / "lock", timeout=_PATIENCE):
        if (place / DONE).exists():
            return
        shutil.rmtree(place, ignore_errors=True)  # what a killed process has left
        with ThreadPoolExecutor() as both:
            list(both.map(partial(_compile, folder, place), TARGETS))
        (place / DONE).touch()


def _compile(folder: Path, place: Path, target: str) -> None:
    """Keep a target's manifest, what dbt saves time with, and the columns' lineage; no database is asked."""
    # Without the variables of the platform's targets, so that no secret can be in what is kept.
    hidden = ("TAXI_DBT_", "DBT_")
    inherited = {name: value for name, value in environment().items() if not name.startswith(hidden)}
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(
            [*DBT, "--no-use-colors", "--no-populate-cache", "compile", "--no-introspect", "--target", target],
            cwd=folder,
            env={**inherited, **quiet(Path(work)), "DBT_PROFILES_DIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise BrokenModels(f"dbt compile --target {target}", done.stdout.strip(), f"The project is in {folder}.")
        kept = place / target
        kept.mkdir(parents=True)
        for name in (PARTIAL_PARSE, MANIFEST):
            shutil.copyfile(Path(work) / name, kept / name)
    lineage = lineage_of(read_manifest(kept / MANIFEST))
    (kept / LINEAGE).write_text(json.dumps(lineage), encoding="utf-8")


def environment_of_dbt(target_path: Path, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The environment in which dbt runs.

    Args:
        target_path: where it keeps what it writes.
        variables: what ``profiles.yml`` reads, passwords included.
    """
    own = {"DBT_PROFILES_DIR": str(FOLDER), "DBT_PROJECT_DIR": str(FOLDER), "PYTHONUNBUFFERED": "1"}
    return {**environment(), **quiet(target_path), **own, **variables}


def quiet(target: Path) -> Mapping[str, str]:
    """The variables that make dbt keep what it writes in one folder, and tell nobody that it was used."""
    return {
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
