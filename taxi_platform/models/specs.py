"""Models and their tests as Dagster's specs of assets and checks."""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from taxi_platform.models.lineage import Lineage
from taxi_platform.models.manifest import Check, Model
from taxi_platform.models.project import FOLDER
from taxi_platform.orchestration.links import COURSES_MODELS, links


def asset_key(name: str, prefix: Sequence[str]) -> dg.AssetKey:
    """The key of a model or of a table that models read."""
    return dg.AssetKey([*prefix, name])


def asset_spec(
    model: Model,
    prefix: Sequence[str],
    group: str,
    owners: Sequence[str],
    partitions: "dg.PartitionsDefinition[Any] | None",
    lineage: Lineage,
) -> dg.AssetSpec:
    """What Dagster knows of a model before it is built."""
    place = prefix[0] if prefix else "postgres"
    return dg.AssetSpec(
        asset_key(model.name, prefix),
        deps=[_dependency(name, prefix) for name in model.upstream],
        description=model.description,
        group_name=group,
        kinds={"dbt", place, "view" if model.kind == "view" else "table"},
        owners=owners,
        code_version=model.version,
        partitions_def=partitions,
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(one.name, one.kind, description=one.description) for one in model.columns]
            ),
            # Of BigQuery, the manifest knows neither project nor dataset.
            **({} if prefix else {"dagster/relation_identifier": model.relation}),
            **column_lineage(model, prefix, lineage),
            **links("models.md", in_the_course=COURSES_MODELS),
            "model": dg.MetadataValue.path(FOLDER / model.path),
        },
    )


def column_lineage(model: Model, prefix: Sequence[str], lineage: Lineage) -> dict[str, Any]:
    """What Dagster knows of the columns that a model's columns are made of; nothing of a seed."""
    if model.name not in lineage:
        return {}
    deps = {
        column: [dg.TableColumnDep(asset_key(table, prefix), name) for table, name in found]
        for column, found in lineage[model.name].items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def _dependency(name: str, prefix: Sequence[str]) -> dg.AssetDep:
    return dg.AssetDep(asset_key(name, prefix))


def check_spec(
    check: Check, prefix: Sequence[str], partitions: "dg.PartitionsDefinition[Any] | None"
) -> dg.AssetCheckSpec:
    """What Dagster knows of a test before it is run."""
    with warnings.catch_warnings():
        # Without partitions, February's result would hide January's.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            check.name,
            asset=asset_key(check.model, prefix),
            description=check.description,
            additional_deps=[asset_key(name, prefix) for name in check.further],
            blocking=check.is_blocking,
            partitions_def=partitions,
        )
