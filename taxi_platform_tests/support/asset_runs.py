"""Runs of the platform's assets with the test's own settings, instance and database.

    def test_...(platform: Platform) -> None:
        platform.use(TAXI_SOURCE=server.template)
        run = platform.run("green_tripdata", months="2019-01...2019-03")
        assert run.months("green_tripdata") == ["2019-01", "2019-02", "2019-03"]
        assert run.of("green_tripdata", "2019-01")["rows_loaded"] == 50

The fixture ``platform`` is in ``conftest.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml

from taxi_platform.definitions import defs
from taxi_platform.settings import PROJECT, settings
from taxi_platform_tests.support.databases import database_from
from taxi_platform_tests.support.shell import UNSET

Asset = dg.AssetsDefinition
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


@cache
def _python_logs() -> dict[str, Any]:
    return yaml.safe_load((PROJECT / "dagster.yaml").read_text("utf-8"))["python_logs"]


def instance_in_memory() -> dg.DagsterInstance:
    """Return an instance in memory that records the platform's logs in the event log of each run."""
    with pytest.MonkeyPatch.context() as patch:
        for part in ("runs", "event_log"):
            # It imports every migration that Dagster ever had, only to record the version of tables in memory.
            patch.setattr(f"dagster._core.storage.{part}.in_memory.stamp_alembic_rev", lambda *_: None)
        return dg.DagsterInstance.ephemeral(settings={"python_logs": _python_logs()})


class Run:
    """One finished run, successful or failed."""

    def __init__(self, result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> None:
        self.result = result
        self.succeeded = result.success
        self.log = instance.all_logs(result.run_id)
        self._instance = instance

    def months(self, asset: str) -> list[str | None]:
        """Return the partitions of the asset that the run recorded as materialized, in that order."""
        return [made.partition for made in self._made(asset)]

    def of(self, asset: str, month: str | None = None) -> dict[str, Any]:
        """Return the metadata that the run recorded for one partition of the asset."""
        (made,) = [made for made in self._made(asset) if made.partition == month]
        return {name: value.value for name, value in made.metadata.items()}

    @property
    def failure(self) -> str:
        """The error of the only failed step."""
        (event,) = self.result.get_step_failure_events()
        data = event.step_failure_data
        return (data.user_failure_data and data.user_failure_data.description) or data.error_display_string

    def checks(self, month: str | None = None) -> dict[str, dg.AssetCheckEvaluation]:
        """Return by name the results of the checks that the run recorded for one month, or without a month."""
        found = [entry.asset_check_evaluation for entry in self.log if entry.asset_check_evaluation]
        return {one.check_name: one for one in found if one.partition == month}

    def labels(self) -> dict[str, str]:
        """Return the run's tags at its end, without Dagster's own."""
        recorded = self._instance.get_run_by_id(self.result.run_id)
        assert recorded is not None
        return {name: value for name, value in recorded.tags.items() if "/" not in name}

    def _made(self, asset: str) -> Sequence[dg.AssetMaterialization]:
        made = [entry.asset_materialization for entry in self.log if entry.asset_materialization]
        return [one for one in made if one.asset_key == dg.AssetKey.from_user_string(asset)]


class Platform:
    """The code location with the settings of one test, and the instance that records its runs."""

    def __init__(self, instance: dg.DagsterInstance, database: str, patch: pytest.MonkeyPatch) -> None:
        self.instance = instance
        self.database = database
        self._patch = patch
        self._loaded: dg.Definitions | None = None

    def use(self, **values: str) -> None:
        """Change settings; they are read again, as by a new process."""
        for name, value in values.items():
            self._patch.setenv(name, value)
        settings.cache_clear()
        self._loaded = None

    def definitions(self) -> dg.Definitions:
        """Return the definitions of the code location with these settings."""
        self._loaded = self._loaded or defs()
        return self._loaded

    def run_job(self, job: str, request: dg.RunRequest) -> Run:
        """Run a job with the run request of a schedule or a sensor."""
        result = (
            self.definitions()
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                partition_key=request.partition_key,
                tags=request.tags,
                run_config={"loggers": QUIET, **request.run_config},
                raise_on_error=False,
            )
        )
        return Run(result, self.instance)

    def check(self, table: str, *months: str) -> Run:
        """Check months of a table again, without loading anything; without months, all that are loaded."""
        config = {f"{table}_checks": {"config": {"months": list(months)}}}
        return self.run_job(f"{table}_checks_job", dg.RunRequest(run_config={"ops": config}))

    @property
    def job(self) -> dg.JobDefinition:
        """The job of all assets."""
        self._loaded = self._loaded or defs()
        return self._loaded.resolve_implicit_global_asset_job_def()

    def run(
        self,
        *assets: str,
        month: str | None = None,
        months: str | None = None,
        config: Mapping[str, Any] | None = None,
        further: Sequence[Asset] = (),
    ) -> Run:
        """Materialize assets in one run; they may be assets of the platform or of ``further``."""
        loaded = self.definitions()
        if further:
            loaded = dg.Definitions.merge(loaded, dg.Definitions(assets=further))
        first, _, last = (months or "").partition("...")
        span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        result = loaded.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            partition_key=month,
            tags=span if months else {},
            run_config={
                "loggers": QUIET,
                "ops": {asset.replace("/", "__"): {"config": values} for asset, values in (config or {}).items()},
            },
            raise_on_error=False,
        )
        return Run(result, self.instance)

    def recorded(self, asset: str) -> set[str]:
        """Return the partitions that Dagster counts as materialized, by any run."""
        return self.instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, *statements: str) -> None:
        """Execute statements in the database without the platform."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def count(self, table: str, month: str | None = None) -> int:
        """Return the number of rows of a table, or of one file month in it."""
        condition = f" where filename like '%{month}.csv'" if month else ""
        return self.rows(f"select count(*) from {table}{condition}")[0][0]


@contextmanager
def platform_of_a_module(server: str, data: Path, **values: str) -> Iterator[Platform]:
    """Yield the platform with its own database, for the tests of a module that share what is loaded once."""
    with (
        database_from(server, "template0") as url,
        pytest.MonkeyPatch.context() as patch,
        instance_in_memory() as instance,
    ):
        patch.delenv("DAGSTER_HOME", raising=False)
        platform = Platform(instance, url, patch)
        platform.use(**UNSET | {"TAXI_DATA_DIR": str(data), "TAXI_POSTGRES_URL": url} | values)
        yield platform
    settings.cache_clear()
