"""The dbt project: its files, its manifests, which are compiled again after an edit, and calling dbt.

A manifest holds a fingerprint of the files that it was compiled from, so that an edited model never meets an old
manifest. A wheel comes with both, made by ``python -m taxi_platform.models``, so that definitions load without dbt.
"""

import hashlib
import json
import logging
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from taxi_platform.errors import BrokenModels, MissingExtra
from taxi_platform.models.lineage import read_columns
from taxi_platform.redaction import redact
from taxi_platform.settings import environment
from taxi_platform.trips.months import Month

if TYPE_CHECKING:
    from taxi_platform.models.targets import Target

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parents[1] / "dbt"
MANIFEST = "manifest.json"
COMPILED = "compiled"  # the folder of the manifests that a wheel comes with
TARGETS = ("postgres", "bigquery")
MONTHS = "monthly"  # the tag of the models that are built month by month
_SOURCES = ("*.yml", "models/**/*", "macros/**/*", "seeds/**/*", "tests/**/*")
# dbt of this Python, whatever PATH says. It makes many objects that stay, and starts sooner when it seldom collects
# garbage.
DBT = (sys.executable, "-c", "import gc; gc.set_threshold(100_000); from dbt.cli.main import cli; cli(prog_name='dbt')")
_STOP_SECONDS = 25.0
_LOCK_SECONDS = 300.0  # compiling for both targets takes ten, and more on busy processors

Node = Mapping[str, Any]
"""A model, seed, test or source, as the manifest describes it."""


def find_manifest(data_dir: Path, target: str, folder: Path = FOLDER) -> Path | None:
    """Return the manifest of the project's files as they are now; compile it first if it is missing or outdated.

    It is for one target of ``profiles.yml``, and kept in ``data_dir`` after an edit. A target whose part of dbt is not
    installed cannot be built anyway, and keeps the manifest that it has, if any.

    Raises:
        BrokenModels: dbt cannot parse the project; the message names the file and the line.
    """
    name = fingerprint(folder)
    own, edited = folder / COMPILED / f"{target}.json", data_dir / "dbt" / name / f"{target}.json"
    if own.exists() and read_manifest(own)["fingerprint"] == name:
        return own
    if edited.exists() or is_installed(target):
        compile_all(folder, edited.parent)
        return edited
    if own.exists():
        logger.warning("The models for %s are shown as before an edit. %s", target, MissingExtra(_module(target)))
        return own
    logger.debug("The models for %s are left out. %s", target, MissingExtra(_module(target)))
    return None


def read_manifest(path: Path) -> Mapping[str, Any]:
    """Read a manifest, which holds the columns' lineage, too."""
    return json.loads(path.read_bytes())


def nodes_of(manifest: Mapping[str, Any], *types: str) -> list[Node]:
    """Return the nodes of some types, such as ``model``, ``seed`` and ``test``."""
    return [node for node in manifest["nodes"].values() if node["resource_type"] in types]


def upstream_of(manifest: Mapping[str, Any], node: Node) -> list[str]:
    """Return the names of the models and tables that a model is made of or a test reads."""
    nodes = {**manifest["nodes"], **manifest["sources"]}
    return list(dict.fromkeys(nodes[unique_id]["name"] for unique_id in node["depends_on"].get("nodes", [])))


def tested_model(manifest: Mapping[str, Any], test: Node) -> str:
    """Return the name of the model that shows a test's result; empty if the test reads no model."""
    read = [test.get("attached_node"), *test["depends_on"]["nodes"]]
    return next((manifest["nodes"][node]["name"] for node in read if node in manifest["nodes"]), "")


def is_installed(target: str) -> bool:
    """Return whether dbt and its adapter for a target are installed."""
    try:
        return find_spec(f"dbt.adapters.{target}") is not None
    except ModuleNotFoundError:  # dbt itself
        return False


def require(target: str) -> None:
    """Raise ``MissingExtra`` if dbt or its adapter for a target is not installed."""
    if not is_installed(target):
        raise MissingExtra(_module(target))


def _module(target: str) -> str:
    return "dbt.adapters.bigquery" if target == "bigquery" else "dbt"


def fingerprint(folder: Path = FOLDER) -> str:
    """Return a short hash of all files that the manifest is compiled from."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _SOURCES for path in folder.glob(pattern) if path.is_file()}):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def environment_of_dbt(target_path: Path, variables: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment in which dbt runs: where it writes, and the variables that ``profiles.yml`` reads."""
    own = {"DBT_PROFILES_DIR": str(FOLDER), "DBT_PROJECT_DIR": str(FOLDER), "PYTHONUNBUFFERED": "1"}
    return {**environment(), **_keep_quiet(target_path), **own, **variables}


def compile_all(folder: Path, place: Path) -> None:
    """Compile the project for each installed target, once, however many processes need it at the same time."""
    from filelock import FileLock

    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place.parent / "lock", timeout=_LOCK_SECONDS), ThreadPoolExecutor() as pool:
        missing = [target for target in TARGETS if is_installed(target) and not (place / f"{target}.json").exists()]
        list(pool.map(partial(compile_target, folder, place), missing))


def compile_target(folder: Path, place: Path, target: str) -> None:
    """Compile for one target without a database; keep what is read of the manifest, and the columns' lineage.

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
        manifest = read_manifest(Path(work) / MANIFEST)
    kept = {
        "fingerprint": fingerprint(folder),
        "nodes": manifest["nodes"],
        "sources": manifest["sources"],
        "lineage": read_columns(manifest, target),
    }
    place.mkdir(parents=True, exist_ok=True)
    part = place / f"{target}.{uuid4().hex}.part"
    part.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(place / f"{target}.json")


def _keep_quiet(target: Path) -> Mapping[str, str]:
    """Return the variables that keep dbt's files in one folder and turn its usage statistics off."""
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

    Without months, all loaded months are built. In the folder, dbt finds what the last build has parsed.

    Raises:
        BrokenModels: a model or a test failed; dbt's own words name it, its file and often the line.
    """
    # Its events are read from its output, so that neither a manifest nor each query in a log is needed.
    arguments = ["--no-use-colors", "--log-format", "json", "--no-write-json", "--log-level-file", "info", "build"]
    arguments += ["--full-refresh"] if full_refresh else []
    arguments += ["--target", target.name, "--indirect-selection", "empty", "--select", *sorted(names)]
    folder.mkdir(parents=True, exist_ok=True)
    variables = {**environment_of_dbt(folder, target.variables), "TAXI_DBT_MONTHS": ",".join(map(str, months))}
    failures: dict[str, None] = {}  # each message once
    with _dbt(arguments, variables) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        for line in process.stdout:
            event = _event(line)
            print(event["info"]["msg"], flush=True)  # Dagster keeps what a step prints
            if event["info"]["level"] == "error":
                failures[redact(event["info"]["msg"].strip())] = None
            yield event
        if process.wait() or failures:
            messages = "\n\n".join(filter(None, failures)) or f"dbt ended with status {process.returncode}"
            advice = "Models built before the failure are kept; downstream models were skipped."
            raise BrokenModels("dbt build", f"some models or tests failed\n{messages}\n", advice)


@contextmanager
def _dbt(arguments: Sequence[str], variables: Mapping[str, str]) -> "Generator[subprocess.Popen[str]]":
    """Run dbt for the length of the block; it is interrupted if the block ends before it."""
    process = subprocess.Popen(
        [*DBT, *arguments],
        cwd=FOLDER,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:  # because the step was cancelled
            process.send_signal(signal.SIGINT)  # which makes it cancel its queries
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _event(line: str) -> Mapping[str, Any]:
    """Return the event of a line; what Python or a library prints is an event without data."""
    try:
        return json.loads(line)
    except ValueError:
        return {"info": {"name": "", "level": "info", "msg": line.rstrip()}, "data": {}}
