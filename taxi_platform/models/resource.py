"""The resource that builds models: dbt beside a database, month by month."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.models.project import manifest_of
from taxi_platform.models.targets import POSTGRES, postgres_target
from taxi_platform.postgres.io_manager import PostgresResource
from taxi_platform.run_failures import told_to_dagster


class ModelsResource(dg.ConfigurableResource["ModelsResource"]):
    """The dbt project with a target."""

    database: dg.ResourceDependency[PostgresResource]
    folder: str = Field(description="Where runs of dbt keep what they write.")

    def build(self, context: dg.AssetExecutionContext, *, full_refresh: bool) -> Iterator[Any]:
        """Build the models and run the tests that a run asks for, for its months.

        Args:
            context: the step's.
            full_refresh: whether tables are made anew, with all months that are loaded.

        Raises:
            dagster.Failure: a model or a test failed; which, where and why.
        """
        from taxi_platform.models.building import Build

        folder = Path(self.folder)
        with told_to_dagster(), postgres_target(self.database.address(context.log.info), context.log.info) as target:
            yield from Build(context, target, manifest_of(folder.parents[1], POSTGRES), folder).events(
                full_refresh=full_refresh
            )
