"""The dbt models as assets and their tests as checks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.defs.trips import OWNERS
from taxi_platform.models.project import (
    FOLDER,
    MONTHS,
    Node,
    find_manifest,
    nodes_of,
    read_manifest,
    tested_model,
    upstream_of,
)
from taxi_platform.models.targets import BIGQUERY, POSTGRES
from taxi_platform.orchestration.check_results import check_spec
from taxi_platform.orchestration.dbt import LINEAGE, ModelsResource, Result
from taxi_platform.orchestration.links import COURSES_MODELS, links
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import settings
from taxi_platform.trips.services import SERVICES

GROUP = "models"


def asset_spec(
    manifest: Mapping[str, Any],
    model: Node,
    prefix: Sequence[str],
    group: str,
    partitions: "dg.PartitionsDefinition[Any] | None",
) -> dg.AssetSpec:
    """Return the asset spec of a model or a seed."""
    name = model["name"]
    sources = {
        column: [dg.TableColumnDep(dg.AssetKey([*prefix, table]), source) for table, source in parts]
        for column, parts in manifest["lineage"].get(name, {}).items()
    }
    columns = [
        dg.TableColumn(column["name"], column.get("data_type") or "", description=column["description"])
        for column in model["columns"].values()
    ]
    return dg.AssetSpec(
        dg.AssetKey([*prefix, name]),
        deps=[dg.AssetKey([*prefix, name]) for name in upstream_of(manifest, model)],
        description=model["description"],
        group_name=group,
        kinds={"dbt", *(prefix or (POSTGRES,)), "view" if model["config"]["materialized"] == "view" else "table"},
        owners=OWNERS,
        code_version=model["checksum"]["checksum"][:16],
        partitions_def=partitions,
        metadata={
            "dagster/column_schema": dg.TableSchema(columns),
            # For BigQuery, the manifest knows neither project nor dataset.
            **({} if prefix else {"dagster/relation_identifier": model["relation_name"].replace('"', "")}),
            **({LINEAGE: dg.TableColumnLineage(sources)} if sources else {}),
            **links("models.md", in_the_course=COURSES_MODELS),
            "model": dg.MetadataValue.path(FOLDER / model["original_file_path"]),
        },
    )


def spec_of_test(
    manifest: Mapping[str, Any], test: Node, prefix: Sequence[str], partitions: "dg.PartitionsDefinition[Any] | None"
) -> dg.AssetCheckSpec:
    """Return the check spec of a test."""
    model = tested_model(manifest, test)
    others = [dg.AssetKey([*prefix, name]) for name in upstream_of(manifest, test) if name != model]
    return check_spec(
        test["name"],
        asset=dg.AssetKey([*prefix, model]),
        description=test["description"],
        additional_deps=others,
        blocking=test["config"]["severity"].lower() == "error",
        partitions_def=partitions,
    )


class BuildConfig(dg.Config):
    """How models are built."""

    full_refresh: bool = Field(
        False, description="Rebuild the tables with all loaded months, not only those of the run."
    )


def models_asset(
    manifest: Mapping[str, Any], name: str, target: str, prefix: Sequence[str], group: str, pool: str
) -> dg.AssetsDefinition:
    """Return every model on one target in one definition, so that a run starts one process of dbt.

    The monthly models have partitions, the dimensions have none. ``target`` is a name in ``profiles.yml``.
    """
    models = nodes_of(manifest, "model", "seed")
    # A test that reads no model is not a check; `taxi dbt` runs it.
    tests = [test for test in nodes_of(manifest, "test") if tested_model(manifest, test)]
    months = monthly_partitions(*SERVICES.values())
    partitions = {model["name"]: months if MONTHS in model["tags"] else None for model in models}

    @dg.multi_asset(
        name=name,
        specs=[asset_spec(manifest, model, prefix, group, partitions[model["name"]]) for model in models],
        check_specs=[spec_of_test(manifest, test, prefix, partitions[tested_model(manifest, test)]) for test in tests],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),  # also the dimensions: a range may include them
        pool=pool,
    )
    def built(context: dg.AssetExecutionContext, config: BuildConfig, dbt: ModelsResource) -> Iterator[Result]:
        yield from dbt.build(context, target, full_refresh=config.full_refresh)

    return built


@dg.definitions
def models() -> dg.Definitions:
    """Return every model in PostgreSQL, and in BigQuery as ``bigquery/…``, where there is a manifest or dbt for it."""
    wanted = (
        ("monthly_models", POSTGRES, (), GROUP, "dbt"),
        ("bigquery_monthly_models", BIGQUERY, (BIGQUERY,), f"{GROUP}_in_the_cloud", "bigquery"),
    )
    found = [(find_manifest(settings().data_dir, each[1]), each) for each in wanted]
    return dg.Definitions(assets=[models_asset(read_manifest(path), *each) for path, each in found if path])
