"""deploy/Dockerfile without a builder: read by a linter, and followed in a folder and an environment of its own."""

import ast
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from taxi_platform.models.project import find_manifest
from taxi_platform.settings import PROJECT
from taxi_platform_tests.support import image

PACKAGE = PROJECT / "taxi_platform"
EMULATORS = PROJECT / "deploy/emulators/Dockerfile"
LOAD = "from taxi_platform.definitions import defs; print(len(list(defs().resolve_all_asset_specs())))"


def needed(name: str) -> set[str]:
    """A distribution and all that it requires here, without its extras but with those that it asks of others."""
    found: set[str] = set()
    waiting = [(name, "")]
    while waiting:
        one, extra = waiting.pop()
        if (one, extra) in found:
            continue
        found |= {(one, extra)}
        for text in distribution(one).requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(normal(requirement.name), more) for more in (*requirement.extras, "")]
    return {one for one, _ in found}


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def imported() -> set[str]:
    """The top-level modules that the package imports anywhere, also inside functions."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"taxi_platform"}


@pytest.mark.parametrize("file", [image.FILE, EMULATORS], ids=lambda file: file.parent.name)
def test_the_linter_finds_nothing(file: Path) -> None:
    done = subprocess.run([Path(sys.executable).parent / "hadolint", file], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_stages_begin_with_one_slim_python_of_one_version() -> None:
    parts = image.parser().structure
    bases = [part["value"].split()[0] for part in parts if part["instruction"] == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases[0])


def test_it_does_not_run_as_root_and_leaves_health_to_the_services() -> None:
    users = [value for name, value in image.instructions() if name == "USER"]
    assert users == ["10001:10001"]
    assert image.instructions()[-1][0] == "USER"
    assert "HEALTHCHECK" not in dict(image.instructions())


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    parts = image.parser().structure
    copies = [part["value"].split() for part in parts if part["instruction"] == "COPY"]
    sources = {source for words in copies if not words[0].startswith("--") for source in words[:-1]}
    assert {"pyproject.toml", "requirements.lock", "dagster.yaml", "taxi_platform"} <= sources
    for source in sources:
        assert (PROJECT / source).exists()
        assert not image.is_ignored(Path(source))


def test_the_emulators_are_installed_as_make_installs_them_and_do_not_run_as_root() -> None:
    text, makefile = EMULATORS.read_text(encoding="utf-8"), (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert f"FROM {image.parser().baseimage}\n" in text
    assert "USER 10001:10001\n" in text
    extension = "from duckdb_extensions import import_extension; import_extension('spatial')"
    assert extension in text
    assert extension in makefile
    assert not image.is_ignored(Path("deploy/emulators/requirements.lock"))


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        ".taxi/raw/green/green_tripdata_2019-01.csv.gz",
        "taxi_platform_tests/support/stack.py",
        "taxi_platform/__pycache__/settings.cpython-311.pyc",
        "taxi_platform/defs/__pycache__/trips.cpython-311.pyc",
    ],
)
def test_secrets_data_and_tests_stay_out(path: str) -> None:
    assert image.is_ignored(Path(path))


def test_what_the_package_imports_is_installed_without_the_extras_for_tests() -> None:
    origins = packages_distributions()
    installed = needed("taxi-platform")
    assert {"dagster", "dagster-postgres", "psycopg-binary"} <= installed
    assert {"pytest", "ruff"} & installed == set()
    missing = {name for name in imported() if not {normal(one) for one in origins.get(name, ())} & installed}
    assert missing == set(), "these come with the tests' extras only; name them among the dependencies"


def test_the_steps_of_the_file_give_definitions_that_load_and_commands_that_run(tmp_path: Path) -> None:
    (step,) = [part["value"] for part in image.parser().structure if part["value"].startswith("mkdir taxi_platform")]
    assert "--constraint requirements.lock --editable ." in step
    root = tmp_path / "image"
    app, environment = root / "app", root / "opt/venv"
    venv.create(environment, with_pip=True)
    app.mkdir()
    for name in ("pyproject.toml", "requirements.lock", "README.md"):
        (app / name).write_bytes((PROJECT / name).read_bytes())
    # The dependencies are those of the tests' own environment; installing all of them would take minutes.
    step = step.replace("/opt/venv", str(environment)).replace("--constraint requirements.lock", "--no-deps")
    done = subprocess.run(["bash", "-ec", step], cwd=app, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (site,) = environment.glob("lib/python3.*/site-packages")
    (site / "dependencies.pth").write_text(str(Path(pytest.__file__).parents[1]))

    image.unpack(root)
    assert not (app / ".env").exists()
    manifests = find_manifest(tmp_path, "postgres").parents[1]  # compiling them takes as long as all the rest
    shutil.copytree(manifests, app / "taxi_platform/dbt/target" / manifests.name)
    for command, said in ((["python", "-c", LOAD], r"\d+"), (["taxi", "--help"], "Usage: taxi")):
        done = subprocess.run(
            [environment / "bin" / command[0], *command[1:]],
            cwd=tmp_path,
            env={"PATH": f"{environment}/bin:/usr/bin:/bin", "TAXI_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert re.match(said, done.stdout), done.stderr
