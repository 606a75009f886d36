"""``taxi dbt``: a command of dbt with the platform's own settings."""

import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import pairwise

from taxi_platform.models import project
from taxi_platform.models.targets import BIGQUERY, POSTGRES, Target, open_bigquery, open_postgres
from taxi_platform.postgres.server import trips_server
from taxi_platform.settings import settings


def run_dbt(arguments: Sequence[str]) -> int:
    """Run a command of dbt, e.g. ``["build", "--target", "bigquery"]``, and return its exit status."""
    if not arguments or {"-h", "--help"} & {*arguments}:  # it needs no database
        project.require(POSTGRES)
        return subprocess.run([*project.DBT, *arguments], cwd=project.FOLDER).returncode
    with _open_target(arguments) as target:
        folder = settings().data_dir / "dbt/by-hand" / target.name
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*project.DBT, *arguments], cwd=project.FOLDER, env=project.environment_of_dbt(folder, target.variables)
        )
    return done.returncode


def _open_target(arguments: Sequence[str]) -> AbstractContextManager[Target]:
    """Open the target that the arguments name; ``debug`` only tests the connection."""
    named = {value for name, value in pairwise(arguments) if name in ("--target", "-t")}
    prepared = "debug" not in arguments
    if BIGQUERY in named or f"--target={BIGQUERY}" in arguments:
        project.require(BIGQUERY)
        from taxi_platform.bigquery.clients import cloud_of

        return open_bigquery(cloud_of(settings().cloud), prepared=prepared)
    project.require(POSTGRES)
    return open_postgres(trips_server(settings()).address(), prepared=prepared)
