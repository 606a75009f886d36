"""Commands as a person types them: in the project's folder, in a shell that has sourced ``.venv/bin/activate``."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.settings import PROJECT

SETTINGS = ("SOURCE", "POSTGRES_URL", "FIRST_MONTH", "LAST_MONTH", "ON_BAD_ROWS")


def environment(data: Path, **settings: str) -> Mapping[str, str]:
    """A clean environment with these settings; the others are empty, which also hides what .env says."""
    unset = {f"TAXI_{name}": "" for name in SETTINGS}
    return {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], **unset, "TAXI_DATA_DIR": str(data), **settings}


def require_activation() -> None:
    """Skip the test where ``make`` has not set the project up."""
    if not (PROJECT / ".venv/bin/activate").exists():
        pytest.skip(f"there is no {PROJECT}/.venv; `make test` makes it")


def script(command: str) -> list[str]:
    """The command behind the activation, for ``subprocess``."""
    return ["bash", "-c", f". .venv/bin/activate\n{command}"]


def typed(command: str, data: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; its two outputs come as one."""
    require_activation()
    return subprocess.run(
        script(command),
        cwd=PROJECT,
        env=environment(data, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def recorded(data: Path, asset: str) -> set[str]:
    """The partitions that the instance under a data folder counts as materialized."""
    with dg.DagsterInstance.from_config(str(data / "dagster")) as instance:
        return instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset))
