"""Models and their tests as Dagster's specs of assets and checks."""

import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from taxi_platform.models.manifest import Check, Model

REPOSITORY = "taxi_platform/dbt"


def asset_key(name: str, prefix: Sequence[str]) -> dg.AssetKey:
    """The key of a model or of a table that models read."""
    return dg.AssetKey([*prefix, name])


def asset_spec(
    model: Model,
    prefix: Sequence[str],
    group: str,
    owners: Sequence[str],
    partitions: "dg.PartitionsDefinition[Any] | None",
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
            "dagster/relation_identifier": model.relation,
            "model": dg.MetadataValue.path(f"{REPOSITORY}/{model.path}"),
        },
    )


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
