"""The resource that builds models with dbt, and how models are called in Dagster."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from taxi_platform.models.manifest import Lineage, Model
from taxi_platform.models.project import find_manifest
from taxi_platform.models.targets import BIGQUERY, Target, open_bigquery, open_postgres
from taxi_platform.orchestration.cloud_io import GoogleCloud
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.postgres.server import Server


@dataclass(frozen=True)
class Models:
    """The dbt project with its two targets; dbt's files are kept below ``data_dir`` while a build runs."""

    database: Server
    google: GoogleCloud
    data_dir: Path

    def build(self, context: dg.AssetExecutionContext, target: str, *, full_refresh: bool) -> Iterator[Any]:
        """Build the models and run the tests that a run selects, for its months.

        Args:
            context: the step's.
            target: the target's name in ``profiles.yml``.
            full_refresh: whether tables are rebuilt with all loaded months.

        Raises:
            dagster.Failure: a model or a test failed; the message says which, where and why.
        """
        from taxi_platform.orchestration.dbt_build import Build

        folder = self.data_dir
        with errors_as_failures(), self._open(context, target) as opened:
            build = Build(context, opened, find_manifest(folder, target), folder / "dbt/runs")
            yield from build.events(full_refresh=full_refresh)

    def _open(self, context: dg.AssetExecutionContext, name: str) -> AbstractContextManager[Target]:
        if name == BIGQUERY:
            return open_bigquery(self.google.cloud())
        return open_postgres(self.database.address())


ModelsResource = dg.ResourceParam[Models]


def asset_key(name: str, prefix: Sequence[str]) -> dg.AssetKey:
    """Return the key of a model, or of a table that models read."""
    return dg.AssetKey([*prefix, name])


def column_lineage(model: Model, prefix: Sequence[str], lineage: Lineage) -> dict[str, Any]:
    """Return the metadata that says which columns a model's columns come from; empty for a seed."""
    if model.name not in lineage:
        return {}
    deps = {
        column: [dg.TableColumnDep(asset_key(table, prefix), name) for table, name in sources]
        for column, sources in lineage[model.name].items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}
