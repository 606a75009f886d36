"""The dbt models as assets and their tests as checks: those of a month, and those that have none."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.defs.taxi.assets import OWNERS
from taxi_platform.models.lineage import Lineage
from taxi_platform.models.manifest import Model, models_of
from taxi_platform.models.project import manifest_of, read_lineage, read_manifest
from taxi_platform.models.resource import ModelsResource
from taxi_platform.models.specs import asset_spec, check_spec
from taxi_platform.models.targets import POSTGRES
from taxi_platform.services import SERVICES
from taxi_platform.settings import settings

GROUP = "models"


class BuildConfig(dg.Config):
    """How models are built."""

    full_refresh: bool = Field(
        False, description="Make the tables anew, with all months that are loaded, not only those of the run."
    )


def all_months() -> dg.TimeWindowPartitionsDefinition:
    """The months of all services, with keys ``YYYY-MM``."""
    spans = [settings().months(service) for service in SERVICES.values()]
    return dg.TimeWindowPartitionsDefinition(
        start=str(min(first for first, _ in spans)),
        end=str(max(last for _, last in spans).plus(1)),
        fmt="%Y-%m",
        cron_schedule="0 0 1 * *",
        timezone=settings().schedule_timezone,
    )


def models_asset(
    name: str, models: Sequence[Model], partitions: "dg.PartitionsDefinition[Any] | None", lineage: Lineage
) -> dg.AssetsDefinition:
    """The models that one run of dbt builds."""

    @dg.multi_asset(
        name=name,
        specs=[asset_spec(model, (), GROUP, OWNERS, partitions, lineage) for model in models],
        check_specs=[check_spec(check, (), partitions) for model in models for check in model.checks],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),  # of the dimensions, too: they may be in the run of a range
        pool="dbt",
    )
    def built(context: dg.AssetExecutionContext, config: BuildConfig, dbt: ModelsResource) -> Iterator[Any]:
        yield from dbt.build(context, full_refresh=config.full_refresh)

    return built


@dg.definitions
def models() -> dg.Definitions:
    """Every model."""
    manifest = manifest_of(settings().data_dir, POSTGRES)
    found, lineage = models_of(read_manifest(manifest)), read_lineage(manifest)
    return dg.Definitions(
        assets=[
            models_asset("dimensions", [model for model in found if not model.is_monthly], None, lineage),
            models_asset("monthly_models", [model for model in found if model.is_monthly], all_months(), lineage),
        ]
    )
