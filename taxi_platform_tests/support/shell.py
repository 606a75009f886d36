"""Commands in the project's folder, in a shell that has sourced ``.venv/bin/activate``.

Dagster's state is in the test's database, beside the trips, unless the test sets another; an empty
``TAXI_DAGSTER_POSTGRES_URL`` is the real default, whose server the test must stop.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from sqlalchemy.pool import Pool, QueuePool

from taxi_platform.settings import PROJECT, CloudSettings, Settings, settings
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.haste import PYTHON


def variables(settings: type[Settings | CloudSettings]) -> set[str]:
    """Return the variables that a class of settings reads."""
    prefix = settings.model_config["env_prefix"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    fields = settings.model_fields.items()
    return {str(field.validation_alias or f"{prefix}{name.upper()}") for name, field in fields}


# Every setting is empty, which also overrides .env.
UNSET = dict.fromkeys(variables(Settings) | variables(CloudSettings), "")
# Except the last month, so that tests have the same partitions whenever they run.
UNSET["TAXI_LAST_MONTH"] = "2021-07"


def environment(data: Path, **values: str) -> Mapping[str, str]:
    """Return a clean environment with these settings and no others."""
    state = {"TAXI_DAGSTER_POSTGRES_URL": values.get("TAXI_POSTGRES_URL", "")}
    own = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], "TAXI_DATA_DIR": str(data)}
    return {**UNSET, **own, "PYTHONPATH": str(PYTHON), **state, **values}


def require_activation() -> None:
    """Skip the test if ``make`` has not set up the project."""
    if not (PROJECT / ".venv/bin/activate").exists():
        pytest.skip(f"{PROJECT}/.venv does not exist; `make test` creates it")


def script(command: str) -> list[str]:
    """Return the command after the activation, for ``subprocess``."""
    return ["bash", "-c", f". .venv/bin/activate\n{command}"]


def typed(command: str, data: Path, **values: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a forked process, which saves the imports; stderr is part of its stdout."""
    require_activation()
    return subprocess.run(
        script(warm.in_a_shell() + command),
        cwd=PROJECT,
        env=environment(data, **values),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


@contextmanager
def kept_connections() -> Iterator[list[Pool]]:
    """Reuse the connections of the instances that are opened meanwhile; Dagster opens one for each query.

    The pools are those of the instances; a test that opens many instances disposes of them.
    """
    pools: list[Pool] = []

    class Kept(QueuePool):
        def __init__(self, creator: Any, **options: Any) -> None:
            super().__init__(creator, pool_size=2, max_overflow=-1, **options)
            pools.append(self)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("event_log.event_log", "run_storage.run_storage", "schedule_storage.schedule_storage"):
            patch.setattr(f"dagster_postgres.{name}.db_pool", SimpleNamespace(NullPool=Kept))
        yield pools
    for pool in pools:
        pool.dispose()


@contextmanager
def instance(database: str, *, keep: bool = True) -> Iterator[dg.DagsterInstance]:
    """Open the instance whose state is in a database, with the project's limits.

    Its connections are reused. Set ``keep`` to False in tests of connections, or if many processes share the server.
    """
    kept = kept_connections() if keep else nullcontext()
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch, kept:
        patch.setenv("TAXI_DAGSTER_POSTGRES_URL", database)
        settings.cache_clear()
        (Path(home) / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
        try:
            with dg.DagsterInstance.from_config(home) as opened:
                yield opened
        finally:
            settings.cache_clear()


def recorded(database: str, asset: str) -> set[str]:
    """Return the partitions that the instance whose state is in a database counts as materialized."""
    with instance(database) as opened:
        return opened.get_materialized_partitions(dg.AssetKey.from_user_string(asset))
