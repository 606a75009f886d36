"""One build by dbt as a step of Dagster's: what it runs, and what is recorded of it."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.core.dbt_cli_invocation import DbtCliInvocation
from packaging.version import Version

from taxi_platform.models import project
from taxi_platform.models.manifest import Model, models_of
from taxi_platform.models.specs import asset_key, column_lineage
from taxi_platform.models.targets import Target
from taxi_platform.months import Month
from taxi_platform.settings import environment


class Translator(DagsterDbtTranslator):
    """Calls dbt's models as the platform calls its assets."""

    def __init__(self, prefix: Sequence[str]) -> None:
        super().__init__()
        self._prefix = prefix

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """The spec of dagster-dbt under our key."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        name = self.get_resource_props(manifest, unique_id)["name"]
        return spec.replace_attributes(key=asset_key(name, self._prefix))


def build(context: dg.AssetExecutionContext, target: Target, manifest: Path, folder: Path) -> Iterator[Any]:
    """Run ``dbt build`` for what the step has to make, and record every model and every test as its result comes.

    Raises:
        dagster.Failure: a model or a test failed; which, where and why.
    """
    # The dimensions have no months, also where they are built in the same run as a month's models.
    months = list(map(Month.parse, context.partition_keys)) if context.assets_def.partitions_def else []
    models = {asset_key(model.name, target.prefix): model for model in models_of(project.read_manifest(manifest))}
    lineage = project.read_lineage(manifest)
    target_path = folder / context.run.run_id[:8]
    try:
        invocation = _start(arguments(context, models, target, months), target, manifest, target_path, context)
        for event in invocation.stream_raw_events():
            for made in _events(event, invocation, context):
                if isinstance(made, dg.Output):
                    key = next(key for key in models if key.to_python_identifier() == made.output_name)
                    context.add_asset_metadata(column_lineage(models[key], target.prefix, lineage), key)
                    _count_rows(context, target, key, models[key], months)
                yield made
    finally:
        shutil.rmtree(target_path, ignore_errors=True)


def _events(event: Any, invocation: DbtCliInvocation, context: dg.AssetExecutionContext) -> Iterator[Any]:
    return event.to_default_asset_events(invocation.manifest, invocation.dagster_dbt_translator, context)


def arguments(
    context: dg.AssetExecutionContext, models: Mapping[dg.AssetKey, Model], target: Target, months: Sequence[Month]
) -> list[str]:
    """The command line of dbt."""
    chosen = [models[key].name for key in context.selected_asset_keys]
    tests = [key.name for key in context.selected_asset_check_keys]
    return [
        *project.DBT,
        "--no-use-colors",
        "build",
        "--target",
        target.name,
        "--indirect-selection",
        "empty",
        "--select",
        *sorted([*chosen, *tests]),
        "--vars",
        json.dumps({"months": [str(month) for month in months]}),
    ]


def _start(
    arguments: Sequence[str], target: Target, manifest: Path, target_path: Path, context: dg.AssetExecutionContext
) -> DbtCliInvocation:
    """The process of dbt.

    ``DbtCliResource`` would run ``dbt --version`` first, which asks the network, and load all of dbt here besides.
    """
    target_path.mkdir(parents=True, exist_ok=True)
    shutil.copy(manifest.parent / project.PARTIAL_PARSE, target_path)
    return DbtCliInvocation.run(
        args=arguments,
        env={
            **environment(),
            **project.quiet(target_path),
            **target.variables,
            "DBT_PROFILES_DIR": str(project.FOLDER),
            "DBT_PROJECT_DIR": str(project.FOLDER),
            "DBT_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
        },
        manifest=project.read_manifest(manifest),
        dagster_dbt_translator=Translator(target.prefix),
        project_dir=project.FOLDER,
        target_path=target_path,
        raise_on_error=True,
        context=context,
        adapter=None,
        cli_version=Version(version("dbt-core")),
    )


def _count_rows(
    context: dg.AssetExecutionContext, target: Target, key: dg.AssetKey, model: Model, months: Sequence[Month]
) -> None:
    """Say of a fact how many rows each of its months has."""
    if model.kind == "monthly":
        for month, rows in target.count(model.name, months).items():
            context.add_asset_metadata({"dagster/partition_row_count": rows}, key, str(month))
