"""deploy/Dockerfile without a builder: read by a linter, and its steps followed in their own folder and environment."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from taxi_platform.settings import PROJECT
from taxi_platform_tests.support import image
from taxi_platform_tests.support.haste import lay_manifests
from taxi_platform_tests.support.this_machine import free_ports

PACKAGE = PROJECT / "taxi_platform"
EMULATORS = PROJECT / "deploy/emulators/Dockerfile"
LOAD = "from taxi_platform.definitions import defs; print(len(list(defs().resolve_all_asset_specs())))"
# Runs a command with a read-only root folder except for its volumes, as in a container, if mounting is allowed here.
_MOUNT = (
    'mount --bind "$0" "$0" && for at in data opt/dagster/storage; do mount --bind "$0/$at" "$0/$at"; done'
    ' && mount -o remount,ro,bind "$0" && ! touch "$0/app/x" 2>/dev/null && exec "$@"'
)
CAN_MOUNT = bool(shutil.which("unshare")) and subprocess.run(["unshare", "--mount", "true"]).returncode == 0
READ_ONLY = ["unshare", "--mount", "sh", "-c", _MOUNT] if CAN_MOUNT else ["sh", "-c", 'exec "$@"']


@pytest.mark.parametrize("file", [image.FILE, EMULATORS], ids=lambda file: file.parent.name)
def test_the_linter_finds_nothing(file: Path) -> None:
    done = subprocess.run([Path(sys.executable).parent / "hadolint", file], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_stages_begin_with_one_slim_python_of_one_version() -> None:
    parts = image.parser().structure
    bases = [part["value"].split()[0] for part in parts if part["instruction"] == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.13\.\d+-slim-trixie", bases[0])


def test_it_does_not_run_as_root_and_the_code_location_has_a_health_check() -> None:
    steps = image.instructions()
    assert [value for name, value in steps if name == "USER"] == ["10001:10001"]
    assert [name for name, _ in steps][-3:] == ["USER", "HEALTHCHECK", "CMD"]
    check = ast.literal_eval(dict(steps)["HEALTHCHECK"].partition("CMD ")[2])
    assert check[-1] in ast.literal_eval(dict(steps)["CMD"])  # the port


def test_dagsters_commands_find_the_definitions_as_they_do_in_the_activated_shell() -> None:
    loop = re.search(r"for _taxi_command in (.*); do", (PROJECT / "deploy/activate.sh").read_text())
    assert loop
    ours = {name: value for name, value in image.environment().items() if name.startswith("DAGSTER_CLI_")}
    assert ours == {f"DAGSTER_CLI_{name}_MODULE_NAME": "taxi_platform.definitions" for name in loop[1].split()}


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


def test_the_steps_of_the_file_give_definitions_that_load_and_commands_that_run() -> None:
    """Follow the file in an empty folder.

    With ``TAXI_TEST_IMAGE_PYTHON``, an interpreter, everything is installed with it as the image does it, which takes a
    minute or two: `.ci/run` does so. Without, the dependencies are those of the tests' own environment.
    """
    interpreter = os.environ.get("TAXI_TEST_IMAGE_PYTHON")
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        environment = install(root, interpreter)
        image.unpack(root)
        data = root / "data"
        for folder in (data, root / "opt/dagster/storage"):
            folder.mkdir(parents=True)
        variables = {
            **{name: value.replace("/opt", f"{root}/opt") for name, value in image.environment().items()},
            "PATH": f"{environment}/bin:/usr/bin:/bin",
            "TAXI_DATA_DIR": str(data),
            "HOME": str(data),
        }
        run = partial(subprocess.run, cwd=root / "app", env=variables, capture_output=True, text=True)
        if interpreter:
            for _, value in [step for step in image.instructions() if step[0] == "RUN"][1:]:
                assert run(["bash", "-ec", value]).returncode == 0
        else:
            lay_manifests(root)
        for command, expected in ((["python", "-c", LOAD], r"\d+"), (["taxi", "--help"], "Usage: taxi")):
            done = run([*READ_ONLY, root, environment / "bin" / command[0], *command[1:]])
            assert re.match(expected, done.stdout), done.stderr
        if interpreter:
            wait_until_healthy(run, root, variables)


def install(root: Path, interpreter: str | None) -> Path:
    """Do the first stage's steps below ``root``, and return the virtual environment that they create."""
    parts = [part for part in image.parser().structure if part["instruction"] != "COMMENT"]
    steps = {part["instruction"]: part["value"] for part in parts[: -len(image.instructions())]}
    step = steps["RUN"]
    assert "--constraint requirements.lock --editable" in step
    app, environment = root / "app", root / "opt/venv"
    app.mkdir()
    for name in steps["COPY"].split()[:-1]:
        shutil.copy(PROJECT / name, app)
    subprocess.run([interpreter or sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin/python"
    command = "uv pip install --no-cache --no-build --python /opt/venv/bin/python"
    assert command in step
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    further = "" if interpreter else "--no-deps"
    if uv:
        step = step.replace(command, f"{uv} pip install --no-build --python {python} {further}")
    else:
        options = further or "--only-binary :all:"
        step = step.replace(command, f"{sys.executable} -m pip --python {python} install --quiet {options}")
    extras = {"EXTRAS": steps["ARG"].partition("=")[2]}
    done = subprocess.run(["bash", "-ec", step], cwd=app, env={**os.environ, **extras}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if not interpreter:
        (site,) = environment.glob("lib/python3.*/site-packages")
        (site / "dependencies.pth").write_text(str(Path(pytest.__file__).parents[1]))
    return environment


def wait_until_healthy(run: Any, root: Path, variables: dict[str, str]) -> None:
    """Start the image's command on another port, and wait until the image's health check succeeds."""
    (port,) = free_ports(1)
    steps = dict(image.instructions())
    dagster, *arguments = ast.literal_eval(steps["CMD"].replace("4000", str(port)))
    check = ast.literal_eval(steps["HEALTHCHECK"].partition("CMD ")[2].replace("4000", str(port)))
    assert run(check).returncode != 0
    command = [*READ_ONLY, root, root / "opt/venv/bin" / dagster, *arguments]
    server = subprocess.Popen(command, cwd=root / "app", env=variables)
    try:
        deadline = time.monotonic() + 180
        while run(check).returncode:
            assert time.monotonic() < deadline
            assert server.poll() is None
    finally:
        server.terminate()
        server.wait()
