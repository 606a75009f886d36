"""The dbt models as assets and their tests as checks: the monthly ones, and the dimensions without partitions."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.defs.models.specs import asset_spec, check_spec
from taxi_platform.defs.taxi.assets import OWNERS
from taxi_platform.models.manifest import Model, models_of
from taxi_platform.models.project import find_manifest, read_lineage, read_manifest
from taxi_platform.models.targets import BIGQUERY, POSTGRES
from taxi_platform.orchestration.dbt import ModelsResource
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import settings
from taxi_platform.trips.services import SERVICES

GROUP = "models"


class BuildConfig(dg.Config):
    """How models are built."""

    full_refresh: bool = Field(
        False, description="Rebuild the tables with all loaded months, not only those of the run."
    )


def models_assets(target: str, prefix: Sequence[str], group: str, pool: str) -> list[dg.AssetsDefinition]:
    """Return every model on one target: one definition for the monthly ones and one for the dimensions.

    Args:
        target: its name in ``profiles.yml``.
        prefix: the first parts of the keys.
        group: the group in Dagster's UI.
        pool: the concurrency pool of the builds.
    """
    manifest = find_manifest(settings().data_dir, target)
    lineage = read_lineage(manifest)

    def models_asset(
        name: str, models: Sequence[Model], partitions: "dg.PartitionsDefinition[Any] | None"
    ) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name="_".join([*prefix, name]),
            specs=[asset_spec(model, prefix, group, OWNERS, partitions, lineage) for model in models],
            check_specs=[check_spec(check, prefix, partitions) for model in models for check in model.checks],
            can_subset=True,
            backfill_policy=dg.BackfillPolicy.single_run(),  # also the dimensions: a range may include them
            pool=pool,
        )
        def built(context: dg.AssetExecutionContext, config: BuildConfig, dbt: ModelsResource) -> Iterator[Any]:
            yield from dbt.build(context, target, full_refresh=config.full_refresh)

        return built

    months = monthly_partitions(*SERVICES.values())
    every = models_of(read_manifest(manifest))
    return [
        models_asset("dimensions", [model for model in every if not model.is_monthly], None),
        models_asset("monthly_models", [model for model in every if model.is_monthly], months),
    ]


@dg.definitions
def models() -> dg.Definitions:
    """Return every model in PostgreSQL, and in BigQuery as ``bigquery/…``."""
    here = models_assets(POSTGRES, (), GROUP, "dbt")
    there = models_assets(BIGQUERY, (BIGQUERY,), f"{GROUP}_in_the_cloud", "bigquery")
    return dg.Definitions(assets=[*here, *there])
