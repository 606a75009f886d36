"""The code location, used only through its public interfaces: the ``taxi`` command and Dagster."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click.testing
import dagster as dg
import psycopg

from taxi_platform.cli.main import taxi
from taxi_platform.definitions import defs
from taxi_platform.settings import PROJECT, settings

QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
# Settings of version 0.1. An empty one counts as unset and overrides .env.
SETTINGS = (
    *("TAXI_SOURCE", "TAXI_DATA_DIR", "TAXI_POSTGRES_URL", "TAXI_DAGSTER_POSTGRES_URL", "TAXI_LANDING"),
    *(
        "TAXI_FIRST_MONTH",
        "TAXI_LAST_MONTH",
        "TAXI_ON_BAD_ROWS",
        "TAXI_MAX_BAD_ROWS",
        "TAXI_SCHEDULE_TIMEZONE",
        "TAXI_ALERT_URLS",
    ),
    *("TAXI_KEEP_RUNS_DAYS", "TAXI_KEEP_RAW_DAYS", "TAXI_KEEP_RAW_GB", "TAXI_WEB_URL", "TAXI_DOCKER_HUB_URL"),
    *("TAXI_PRODUCTS_URL", "TAXI_CHAT_MODEL", "TAXI_EMBEDDING_MODEL", "GEMINI_API_KEY"),
    *("GCP_PROJECT_ID", "GCP_LOCATION", "GCP_BUCKET_NAME", "GCP_DATASET", "GCP_CREDS"),
    *("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"),
)


class Location:
    """The code location in this process.

    Attributes:
        data: its data folder.
        trips: the URL of the trips' database.
        instance: Dagster's instance.
    """

    instance: dg.DagsterInstance

    def __init__(self, data: Path, trips: str) -> None:
        self.data = data
        self.trips = trips
        self._definitions: dg.Definitions | None = None

    @contextmanager
    def using(self, **values: str) -> Iterator[None]:
        """Change settings within a block."""
        before = self._definitions
        with patch.dict(os.environ, values):
            self._forget()
            yield
        self._forget()
        self._definitions = before

    def _forget(self) -> None:
        settings.cache_clear()
        self._definitions = None

    @property
    def definitions(self) -> dg.Definitions:
        """The code location with the current settings."""
        self._definitions = self._definitions or defs()
        return self._definitions

    def command(self, *arguments: str) -> click.testing.Result:
        """Run ``taxi`` with these arguments."""
        return click.testing.CliRunner().invoke(taxi, arguments)

    def tick(self, sensor: str, cursor: str | None = None) -> Any:
        """Evaluate a sensor and return the result that the daemon would get."""
        definition = self.definitions.resolve_sensor_def(sensor)
        every = self.definitions.resources or {}
        with dg.build_sensor_context(
            self.instance,
            cursor=cursor,
            repository_def=self.definitions.get_repository_def(),
            resources={key: every[key] for key in definition.required_resource_keys},
            sensor_name=sensor,
        ) as context:
            return definition.evaluate_tick(context)

    def run_request(self, request: dg.RunRequest, sensor: str) -> dg.ExecuteInProcessResult:
        """Execute a sensor's run request with the tags that the daemon adds."""
        job = self.definitions.resolve_job_def(str(request.job_name))
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags={**request.tags, "dagster/sensor_name": sensor, "dagster/run_key": str(request.run_key)},
            run_config={"loggers": QUIET, **request.run_config},
            raise_on_error=False,
        )

    def run_job(self, name: str, config: Mapping[str, Any] | None = None) -> dg.ExecuteInProcessResult:
        """Execute a job that has no partitions."""
        return self.definitions.resolve_job_def(name).execute_in_process(
            instance=self.instance, run_config={"loggers": QUIET, "ops": config or {}}, raise_on_error=False
        )

    def materialize(
        self, *assets: str, first: str | None = None, last: str | None = None, config: Mapping[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materialize assets in one run: a month, every month from the first to the last, or without partitions."""
        span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            tags={name: month for name, month in span.items() if month},
            run_config={"loggers": QUIET, "ops": config or {}},
            raise_on_error=False,
        )

    def group(self, name: str) -> list[str]:
        """Return the assets of a group."""
        return sorted(
            spec.key.to_user_string() for spec in self.definitions.resolve_all_asset_specs() if spec.group_name == name
        )

    def materializations(self, result: dg.ExecuteInProcessResult, asset: str) -> list[dg.AssetMaterialization]:
        """Return a run's materializations of an asset, in order."""
        entries = self.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        made = [entry.asset_materialization for entry in entries]
        return [event for event in made if event and event.asset_key.to_user_string() == asset]

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a query on the trips' database."""
        with psycopg.connect(self.trips) as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, *statements: str) -> None:
        """Execute statements on the trips' database, like changes by hand."""
        with psycopg.connect(self.trips, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def location(home: Path, data: Path, trips: str, state: str, **values: str) -> Iterator[Location]:
    """Open the code location.

    Args:
        home: the ``DAGSTER_HOME``; created with the project's ``dagster.yaml`` if it does not exist.
        data: the data folder.
        trips: the URL of the trips' database.
        state: the URL of the database with Dagster's state.
        values: further settings.
    """
    if not home.exists():
        home.mkdir(parents=True)
        (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    environment = {
        **dict.fromkeys(SETTINGS, ""),
        "DAGSTER_HOME": str(home),
        "TAXI_DATA_DIR": str(data),
        "TAXI_POSTGRES_URL": trips,
        "TAXI_DAGSTER_POSTGRES_URL": state,
        "TAXI_FIRST_MONTH": "2019-01",
        "TAXI_LAST_MONTH": "2019-12",
        **values,
    }
    with patch.dict(os.environ, environment):
        settings.cache_clear()
        opened = Location(data, trips)
        try:
            with dg.DagsterInstance.get() as opened.instance:
                yield opened
        finally:
            settings.cache_clear()
