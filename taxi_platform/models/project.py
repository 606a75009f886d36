"""The dbt project's files, how dbt is called, and the manifest, which is compiled when it is missing.

A manifest is kept under a fingerprint of the files that it was compiled from, so that an edited model never meets an
old manifest. The image ships with its own; a fresh clone compiles it once, without a network or a database.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.errors import BrokenModels
from taxi_platform.models.manifest import Lineage, read_columns
from taxi_platform.redaction import redact
from taxi_platform.settings import environment
from taxi_platform.trips.months import Month

if TYPE_CHECKING:
    from taxi_platform.models.targets import Target

FOLDER = Path(__file__).parents[1] / "dbt"
MANIFEST = "manifest.json"
LINEAGE = "lineage.json"
DONE = "done"  # an empty file, written after all the others
TARGETS = ("postgres", "bigquery")
_SOURCES = ("*.yml", "models/**/*", "macros/**/*", "seeds/**/*", "tests/**/*")
# dbt of this Python, whatever PATH says. runpy warns that the package imports the module first, which is harmless.
DBT = (sys.executable, "-W", "ignore::RuntimeWarning:runpy", "-m", "dbt.cli.main")
_STOP_SECONDS = 25.0
_LOCK_SECONDS = 300.0  # compiling for both targets takes ten, and more on busy processors


def find_manifest(data_dir: Path, target: str, folder: Path = FOLDER) -> Path:
    """Return the manifest of the project's files as they are now; compile it if it is missing.

    Args:
        data_dir: where it is kept when the project's own folder is read-only.
        target: the target whose SQL it holds, by its name in ``profiles.yml``.
        folder: the dbt project.

    Raises:
        BrokenModels: dbt cannot parse the project; the message names the file and the line.
    """
    name = fingerprint(folder)
    own, other = folder / "target" / name, data_dir / "dbt" / name
    place = next((place for place in (own, other) if (place / DONE).exists()), None)
    if place is None:
        place = own if os.access(folder, os.W_OK) else other
        _compile_all(folder, place)
    return place / target / MANIFEST


def read_manifest(path: Path) -> Mapping[str, Any]:
    """Read a manifest."""
    return json.loads(path.read_bytes())


def read_lineage(manifest: Path) -> Lineage:
    """Read the lineage that is kept beside a manifest."""
    return json.loads((manifest.parent / LINEAGE).read_bytes())


def fingerprint(folder: Path = FOLDER) -> str:
    """Return a short hash of all files that the manifest is compiled from."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _SOURCES for path in folder.glob(pattern) if path.is_file()}):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def environment_of_dbt(target_path: Path, variables: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment in which dbt runs.

    Args:
        target_path: where dbt writes.
        variables: what ``profiles.yml`` reads, passwords included.
    """
    own = {"DBT_PROFILES_DIR": str(FOLDER), "DBT_PROJECT_DIR": str(FOLDER), "PYTHONUNBUFFERED": "1"}
    return {**environment(), **_keep_quiet(target_path), **own, **variables}


def _compile_all(folder: Path, place: Path) -> None:
    """Compile the project for each target, once, however many processes need it at the same time."""
    from filelock import FileLock

    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / "lock", timeout=_LOCK_SECONDS):
        if (place / DONE).exists():
            return
        shutil.rmtree(place, ignore_errors=True)  # left by a killed process
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(compile_target, folder, place), TARGETS))
        (place / DONE).touch()


def compile_target(folder: Path, place: Path, target: str) -> None:
    """Compile for one target without a database; keep the manifest and the columns' lineage.

    Raises:
        BrokenModels: dbt cannot parse the project.
    """
    # Without the variables of the platform's targets, so that no secret is kept.
    hidden = ("TAXI_DBT_", "DBT_")
    inherited = {name: value for name, value in environment().items() if not name.startswith(hidden)}
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(
            [*DBT, "--no-use-colors", "--no-populate-cache", "compile", "--no-introspect", "--target", target],
            cwd=folder,
            env={**inherited, **_keep_quiet(Path(work)), "DBT_PROFILES_DIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise BrokenModels(f"dbt compile --target {target}", done.stdout.strip(), f"The project is in {folder}.")
        kept = place / target
        kept.mkdir(parents=True)
        shutil.copyfile(Path(work) / MANIFEST, kept / MANIFEST)
    lineage = read_columns(read_manifest(kept / MANIFEST))
    (kept / LINEAGE).write_text(json.dumps(lineage), encoding="utf-8")


def _keep_quiet(target: Path) -> Mapping[str, str]:
    """Return the variables that keep dbt's files in one folder and its usage statistics at home."""
    return {
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def build(
    names: Sequence[str], target: "Target", months: Sequence[Month], folder: Path, *, full_refresh: bool
) -> Iterator[Mapping[str, Any]]:
    """Build and test exactly these models and tests in one process of dbt, and yield its events as they happen.

    The months are passed in a variable that only macros at run time read. dbt would parse all models again whenever
    ``--vars`` differ from the last build's, which takes as long as building a small month.

    Args:
        names: of models, seeds and tests.
        target: where they are built.
        months: the months to build; none for all loaded months.
        folder: where dbt writes, and finds what the last build has parsed.
        full_refresh: whether tables are rebuilt with all loaded months.

    Raises:
        BrokenModels: a model or a test failed; the message has dbt's own words, which name it, its file and often the
            line.
    """
    refresh = ["--full-refresh"] if full_refresh else []
    choice = ["--indirect-selection", "empty", "--select", *sorted(names)]
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [*DBT, "--no-use-colors", "--log-format", "json", "build", "--target", target.name, *refresh, *choice],
        cwd=FOLDER,
        env={**environment_of_dbt(folder, target.variables), "TAXI_DBT_MONTHS": ",".join(map(str, months))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    failures: dict[str, None] = {}  # each message once
    try:
        assert process.stdout  # noqa: S101 - it is a pipe
        for line in process.stdout:
            event = _event(line)
            print(event["info"]["msg"], flush=True)  # Dagster keeps what a step prints
            if event["info"]["level"] == "error":
                failures[redact(event["info"]["msg"].strip())] = None
            yield event
        if process.wait() or failures:
            messages = "\n\n".join(filter(None, failures)) or f"dbt ended with status {process.returncode}"
            raise BrokenModels(
                "dbt build",
                f"some models or tests failed\n{messages}\n",
                "Models built before the failure are kept; downstream models were skipped.",
            )
    finally:
        _stop(process)


def _event(line: str) -> Mapping[str, Any]:
    """Return the event of a line; what Python or a library prints is an event without data."""
    try:
        return json.loads(line)
    except ValueError:
        return {"info": {"name": "", "level": "info", "msg": line.rstrip()}, "data": {}}


def _stop(process: "subprocess.Popen[str]") -> None:
    """Stop dbt if it still runs, because the step was cancelled; it cancels its queries when it is interrupted."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
