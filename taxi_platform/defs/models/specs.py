"""Models and their tests as asset and check specs."""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from taxi_platform.models.manifest import Check, Lineage, Model
from taxi_platform.models.project import FOLDER
from taxi_platform.orchestration.dbt import asset_key, column_lineage
from taxi_platform.orchestration.links import COURSES_MODELS, links


def asset_spec(
    model: Model,
    prefix: Sequence[str],
    group: str,
    owners: Sequence[str],
    partitions: "dg.PartitionsDefinition[Any] | None",
    lineage: Lineage,
) -> dg.AssetSpec:
    """Return the asset spec of a model."""
    place = prefix[0] if prefix else "postgres"
    return dg.AssetSpec(
        asset_key(model.name, prefix),
        deps=[asset_key(name, prefix) for name in model.upstream],
        description=model.description,
        group_name=group,
        kinds={"dbt", place, "view" if model.kind == "view" else "table"},
        owners=owners,
        code_version=model.version,
        partitions_def=partitions,
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(column.name, column.kind, description=column.description) for column in model.columns]
            ),
            # For BigQuery, the manifest knows neither project nor dataset.
            **({} if prefix else {"dagster/relation_identifier": model.relation}),
            **column_lineage(model, prefix, lineage),
            **links("models.md", in_the_course=COURSES_MODELS),
            "model": dg.MetadataValue.path(FOLDER / model.path),
        },
    )


def check_spec(
    check: Check, prefix: Sequence[str], partitions: "dg.PartitionsDefinition[Any] | None"
) -> dg.AssetCheckSpec:
    """Return the check spec of a test."""
    with warnings.catch_warnings():
        # Partitions are a preview feature; without them February's result would hide January's.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            check.name,
            asset=asset_key(check.model, prefix),
            description=check.description,
            additional_deps=[asset_key(name, prefix) for name in check.further],
            blocking=check.is_blocking,
            partitions_def=partitions,
        )
