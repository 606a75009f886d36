"""Dbt by hand: its own commands, with the platform's settings behind them."""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise

from taxi_platform.bigquery.clients import cloud_of
from taxi_platform.models import project
from taxi_platform.models.bigquery import BIGQUERY, bigquery_target
from taxi_platform.models.targets import Target, postgres_target
from taxi_platform.settings import settings

Say = Callable[[str], None]


def run_dbt(arguments: Sequence[str], say: Say) -> int:
    """Run a command of dbt, as ``dbt`` itself would be typed, and return its exit status.

    Args:
        arguments: e.g. ``["build", "--vars", "{months: [2019-03]}"]``; with ``--target bigquery``, on BigQuery.
        say: where it is told what happens before dbt begins.

    Raises:
        TaxiError: the target cannot be reached, or what the models are made of is not there.
    """
    with _target(arguments, say) as target:
        place = settings().data_dir / "dbt/by-hand" / target.name
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*project.DBT, *arguments], cwd=project.FOLDER, env=project.environment_of_dbt(place, target.variables)
        )
    return done.returncode


def _target(arguments: Sequence[str], say: Say) -> AbstractContextManager[Target]:
    """The target that the arguments name; ``debug`` looks only whether it is reached."""
    names = {"--target", "-t"}
    chosen = {value for name, value in pairwise(arguments) if name in names}
    only_look = "debug" in arguments
    if BIGQUERY in chosen or f"--target={BIGQUERY}" in arguments:
        return bigquery_target(cloud_of(settings().cloud), say, only_look=only_look)
    own = settings().postgres_url
    return postgres_target(own.get_secret_value() if own else _embedded(say), say, only_look=only_look)


def _embedded(say: Say) -> str:
    from taxi_platform.postgres.embedded.server import EmbeddedServer

    return EmbeddedServer(settings().data_dir / "postgres").start(say)
