"""``deploy/activate.sh``: it finds the data folder where the settings find it."""

import os
import subprocess
from pathlib import Path

import pytest

from taxi_platform.settings import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder like the project's, with a link to its virtual environment."""
    project = tmp_path / "the project"
    project.mkdir()
    (project / ".venv").symlink_to(PROJECT / ".venv")
    (project / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return project


def dagster_home(project: Path, shell: str = "sh", **variables: str) -> str:
    done = subprocess.run(
        [shell, "-euc", f'. "{PROJECT}/deploy/activate.sh"; printf %s "$DAGSTER_HOME"'],
        env={"PATH": os.environ["PATH"], "HOME": str(project), "VIRTUAL_ENV": str(project / ".venv"), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("TAXI_DATA_DIR={project}/my", "my"),
        ('TAXI_DATA_DIR="{project}/my data"  # a note', "my data"),
        ("TAXI_DATA_DIR='{project}/my data'", "my data"),
        ("TAXI_DATA_DIR={project}/my  # a note", "my"),
        ("export TAXI_DATA_DIR = {project}/my", "my"),
        ("TAXI_DATA_DIR=${{HOME}}/my", "my"),
        ("TAXI_DATA_DIR=~/my", "my"),
        ("TAXI_DATA_DIR=my", "my"),
        ("TAXI_DATA_DIR=first\nTAXI_DATA_DIR=second", "second"),
        ("# TAXI_DATA_DIR=my", ".taxi"),
        ("TAXI_DATA_DIR=", ".taxi"),
    ],
)
def test_the_data_folder_of_env_is_read_as_the_settings_read_it(line: str, folder: str, project: Path) -> None:
    (project / ".env").write_text(line.format(project=project) + "\n")
    assert dagster_home(project) == f"{project}/{folder}/dagster"
    assert (project / folder / "dagster/dagster.yaml").resolve() == project / "dagster.yaml"
    assert sorted(path.name for path in project.iterdir()) == sorted({".env", ".venv", "dagster.yaml", folder})


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_variables_win_over_env_and_without_both_the_default_is_used(shell: str, project: Path) -> None:
    assert dagster_home(project, shell) == f"{project}/.taxi/dagster"
    (project / ".env").write_text("TAXI_DATA_DIR=other\n")
    assert dagster_home(project, shell, TAXI_DATA_DIR="mine") == f"{project}/mine/dagster"
    assert dagster_home(project, shell, DAGSTER_HOME="/somewhere") == "/somewhere"


def test_another_activation_in_the_same_shell_is_for_its_own_project_and_makes_a_removed_folder_again(
    project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / ".venv").symlink_to(PROJECT / ".venv")
    (other / "dagster.yaml").touch()
    activate = f'. "{PROJECT}/deploy/activate.sh"; echo "$DAGSTER_HOME"'
    typed = f"""
        {activate}
        rm -r "{project}/.taxi"
        {activate}
        VIRTUAL_ENV="{other}/.venv"
        {activate}
        DAGSTER_HOME=/my/own
        {activate}"""
    variables = {"PATH": os.environ["PATH"], "HOME": str(project), "VIRTUAL_ENV": str(project / ".venv")}
    done = subprocess.run(["sh", "-euc", typed], env=variables, capture_output=True, text=True, check=True)
    own = f"{project}/.taxi/dagster"
    assert done.stdout.splitlines() == [own, own, f"{other}/.taxi/dagster", "/my/own"]
    assert (project / ".taxi/dagster/dagster.yaml").resolve() == project / "dagster.yaml"
