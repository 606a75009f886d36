"""Dagster's own commands and ours, in a shell that has only run ``. .venv/bin/activate``."""

import os
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol
from unittest.mock import patch

import psycopg
import pytest
from click.testing import CliRunner, Result

from taxi_platform.cli.main import taxi
from taxi_platform.settings import FILES, settings
from taxi_platform_tests.support.shell import environment, instance, recorded, typed

LITERALLY = "dagster asset materialize --select green_tripdata --partition 2019-03"
CHECK_ONE_MONTH = """dg launch --job green_tripdata_checks_job --config-json '{"ops": {"green_tripdata_checks": {"config": {"months": ["2019-03"]}}}}'"""  # noqa: E501
QUARTER = {"2019-01", "2019-02", "2019-03"}


class Shell(Protocol):
    def __call__(self, command: str, **settings: str) -> CompletedProcess[str]: ...


@pytest.fixture
def shell(tmp_path: Path, state_database: str) -> Shell:
    """Return a shell with a new data folder and a database that only has Dagster's tables."""
    return partial(typed, data=tmp_path, TAXI_SOURCE="sample:0.001", TAXI_POSTGRES_URL=state_database)


def files(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        return {name[-11:-4] for (name,) in connection.execute("select distinct filename from green_tripdata")}


def test_a_range_is_loaded_by_the_very_first_command(database: str, tmp_path: Path) -> None:
    command = "dagster asset materialize --select green_tripdata --partition-range 2019-01...2019-03"
    done = typed(command, tmp_path, TAXI_SOURCE="sample:0.001", TAXI_POSTGRES_URL=database)
    assert done.returncode == 0, done.stdout
    assert files(database) == QUARTER
    assert recorded(database, "green_tripdata") == recorded(database, "raw/green_tripdata") == QUARTER
    assert len(list(tmp_path.glob("raw/green/*.csv.gz"))) == 3


def test_later_commands_see_and_check_what_earlier_ones_did(shell: Shell, state_database: str, tmp_path: Path) -> None:
    for command, expected in (
        (LITERALLY, "636 rows"),
        ("dg launch --assets green_tripdata --partition 2019-03", "636 rows, 0 rejected, was there already"),
        (CHECK_ONE_MONTH, ""),
        ("dagster job execute -j green_tripdata_checks_job", ""),
    ):
        done = shell(command)
        assert done.returncode == 0, done.stdout
        assert expected in done.stdout
    assert recorded(state_database, "green_tripdata") == recorded(state_database, "raw/green_tripdata") == {"2019-03"}
    with instance(state_database) as opened:
        runs = opened.get_runs()
        assert [run.is_success for run in runs] == [True] * 4
        assert "green_tripdata_checks_job" in {run.job_name for run in runs}
    assert (tmp_path / "dagster/storage").is_dir()


def test_the_definitions_are_found_valid_and_no_server_is_started_for_it(tmp_path: Path) -> None:
    done = typed("dg check defs", tmp_path)
    assert done.returncode == 0, done.stdout
    assert "success" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["dagster"]


def test_dagster_finds_the_assets_without_options(shell: Shell) -> None:
    listed = shell("dagster asset list").stdout.split()
    assert {"green_tripdata", "raw/green_tripdata", "taxi_zone_lookup"} <= set(listed)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("dagster asset materialize --select green_tripdata --partition 2018-12", "`2018-12`"),
        ("dg launch --assets gren_tripdata --partition 2019-03", '["green_tripdata"]'),
    ],
)
def test_an_unknown_month_or_asset_is_named(command: str, named: str, shell: Shell) -> None:
    done = shell(command)
    assert done.returncode != 0
    assert named in done.stdout


def test_an_invalid_setting_is_named_with_the_valid_values(shell: Shell) -> None:
    done = shell("dagster definitions validate", TAXI_ON_BAD_ROWS="ignore")
    assert done.returncode != 0
    assert "TAXI_ON_BAD_ROWS=ignore: Input should be 'fail' or 'quarantine'" in done.stdout


def test_a_failed_run_gives_the_command_an_exit_status(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    done = shell(LITERALLY, TAXI_SOURCE=str(tmp_path / "published"))
    assert done.returncode != 0
    assert f"{tmp_path}/published has no green_tripdata_2019-03.csv.gz and no green_tripdata_2019-03.csv" in done.stdout
    assert "Put the file there, or choose another month." in done.stdout


def test_values_that_are_set_before_the_activation_win(shell: Shell, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    done = shell("echo $DAGSTER_HOME", DAGSTER_HOME=str(home))
    assert done.stdout.split() == [str(home)]


def test_taxi_prints_its_version_also_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "taxi_platform", "--version"], capture_output=True, text=True)
    assert done.stdout == f"taxi, version {version('taxi-platform')}\n"


def test_taxi_finds_its_instance_in_any_folder_without_an_activation(tmp_path: Path, database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "taxi_platform", "status", "--json"],
        cwd=tmp_path,
        env=environment(tmp_path / "data", TAXI_POSTGRES_URL=database),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/dagster/dagster.yaml").samefile(FILES / "dagster.yaml")


def test_taxi_makes_a_removed_instance_again_and_names_a_folder_that_cannot_be_written(
    tmp_path: Path, state_database: str
) -> None:
    (tmp_path / "file").touch()
    outcomes: list[Result] = []
    for name in ("removed", "file"):
        data = tmp_path / name
        values = environment(data, TAXI_POSTGRES_URL=state_database, DAGSTER_HOME=str(data / "dagster"))
        with patch.dict(os.environ, values):
            settings.cache_clear()
            outcomes.append(CliRunner().invoke(taxi, ["status"]))
    settings.cache_clear()
    assert [outcome.exit_code for outcome in outcomes] == [0, 1]
    assert (tmp_path / "removed/dagster/dagster.yaml").samefile(FILES / "dagster.yaml")
    assert f"Error: dagster: {tmp_path}/file/dagster cannot be written: not a directory." in outcomes[1].output


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_taxi_lists_its_commands(option: str) -> None:
    done = CliRunner().invoke(taxi, [option])
    assert done.exit_code == 0
    for command in ("demo", "doctor", "psql", "stop", "url"):
        assert f"\n  {command} " in done.output


def test_help_does_not_import_dagster_or_pydantic() -> None:
    program = "import sys, taxi_platform.cli.main; print({'dagster', 'pydantic', 'psycopg'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
