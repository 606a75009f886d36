"""The resource that builds models: dbt beside a database, month by month."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.models.bigquery import BIGQUERY, bigquery_target
from taxi_platform.models.project import manifest_of
from taxi_platform.models.targets import Target, postgres_target
from taxi_platform.orchestration.google_resource import CloudResource
from taxi_platform.orchestration.postgres_io import PostgresResource
from taxi_platform.orchestration.run_failures import told_to_dagster


class ModelsResource(dg.ConfigurableResource["ModelsResource"]):
    """The dbt project with its targets."""

    database: dg.ResourceDependency[PostgresResource]
    google: dg.ResourceDependency[CloudResource]
    data_dir: str = Field(description="Below it, runs of dbt keep what they write for as long as they last.")

    def build(self, context: dg.AssetExecutionContext, target: str, *, full_refresh: bool) -> Iterator[Any]:
        """Build the models and run the tests that a run asks for, for its months.

        Args:
            context: the step's.
            target: where, as ``profiles.yml`` calls it.
            full_refresh: whether tables are made anew, with all months that are loaded.

        Raises:
            dagster.Failure: a model or a test failed; which, where and why.
        """
        from taxi_platform.models.building import Build

        folder = Path(self.data_dir)
        with told_to_dagster(), self._target(context, target) as place:
            build = Build(context, place, manifest_of(folder, target), folder / "dbt/runs")
            yield from build.events(full_refresh=full_refresh)

    def _target(self, context: dg.AssetExecutionContext, name: str) -> AbstractContextManager[Target]:
        if name == BIGQUERY:
            return bigquery_target(self.google.cloud(), context.log.info)
        return postgres_target(self.database.address(context.log.info), context.log.info)
