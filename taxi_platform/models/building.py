"""One build by dbt as a step of Dagster's: what it runs, and what is recorded of it.

dagster-dbt runs dbt and turns its events into Dagster's. It is imported here and nowhere else: it takes a second or
two, which only runs that build models shall pay.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtCliRuntimeError, DagsterDbtTranslator, DbtCliInvocation
from packaging.version import Version

from taxi_platform.models import project
from taxi_platform.models.manifest import Model, models_of
from taxi_platform.models.problems import told_by_dbt
from taxi_platform.models.specs import asset_key, column_lineage
from taxi_platform.models.targets import Target
from taxi_platform.trips.months import Month


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


class Build:
    """One run of ``dbt build``.

    Args:
        context: the step's.
        target: where it builds.
        manifest: the manifest for that target.
        folder: where dbt may write; what it writes goes with the build.
    """

    def __init__(self, context: dg.AssetExecutionContext, target: Target, manifest: Path, folder: Path) -> None:
        self._context = context
        self._target = target
        self._manifest = manifest
        self._target_path = folder / f"{context.run.run_id[:8]}-{context.op_execution_context.op.name}"
        # The dimensions have no months, also where they are built in the same run as a month's models.
        has_months = context.assets_def.partitions_def is not None
        self._months = [Month.parse(key) for key in context.partition_keys] if has_months else []

    def events(self, *, full_refresh: bool) -> Iterator[Any]:
        """Build what the step has to make, and record every model and every test as its result comes.

        Args:
            full_refresh: whether tables are made anew, with all months that are loaded.

        Raises:
            BrokenModels: a model or a test failed; which, where and why.
        """
        context = self._context
        chosen = [self._models[key].name for key in context.selected_asset_keys]
        tests = [key.name for key in context.selected_asset_check_keys]
        try:
            invocation = self._start(arguments([*chosen, *tests], self._target, self._months, full_refresh))
            for event in invocation.stream_raw_events():
                yield from self._recorded(event, invocation)
        except DagsterDbtCliRuntimeError as error:
            raise told_by_dbt(str(error)) from None
        finally:
            shutil.rmtree(self._target_path, ignore_errors=True)

    def _start(self, arguments: Sequence[str]) -> DbtCliInvocation:
        """The process of dbt.

        ``DbtCliResource`` would run ``dbt --version`` first, which asks the network, and load all of dbt here besides.
        """
        self._target_path.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._manifest.parent / project.PARTIAL_PARSE, self._target_path)
        return DbtCliInvocation.run(
            args=arguments,
            env={**project.environment_of_dbt(self._target_path, self._target.variables), "DBT_LOG_FORMAT": "json"},
            manifest=self._read_manifest,
            dagster_dbt_translator=Translator(self._target.prefix),
            project_dir=project.FOLDER,
            target_path=self._target_path,
            raise_on_error=True,
            context=self._context,
            adapter=None,
            cli_version=Version(version("dbt-core")),
        )

    def _recorded(self, event: Any, invocation: DbtCliInvocation) -> Iterator[Any]:
        for made in event.to_default_asset_events(
            invocation.manifest, invocation.dagster_dbt_translator, self._context, self._target_path
        ):
            if isinstance(made, dg.Output):
                self._describe(made.output_name)
            elif isinstance(made, dg.AssetCheckResult) and len(self._months) > 1:
                self._record_months(made)
            yield made

    def _describe(self, output: str) -> None:
        """Say what the columns of a model are made of, and of a fact how many rows each of its months has."""
        key = next(key for key in self._models if key.to_python_identifier() == output)
        model = self._models[key]
        self._context.add_asset_metadata(column_lineage(model, self._target.prefix, self._lineage), key)
        if model.kind == "monthly":
            for month, rows in self._target.count(model.name, self._months).items():
                self._context.add_asset_metadata({"dagster/partition_row_count": rows}, key, str(month))

    def _record_months(self, result: dg.AssetCheckResult) -> None:
        """In a range, Dagster records one result that belongs to no month; dbt tests all of them at once."""
        assert result.asset_key  # noqa: S101 - dagster-dbt names it always
        for month in self._months:
            self._context.instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=result.asset_key,
                    check_name=result.check_name or "",
                    passed=result.passed,
                    severity=result.severity,
                    partition=str(month),
                    description=f"Of {self._months[0]} to {self._months[-1]} together.",
                    metadata=result.metadata,
                )
            )

    @cached_property
    def _read_manifest(self) -> Mapping[str, Any]:
        return project.read_manifest(self._manifest)

    @cached_property
    def _models(self) -> Mapping[dg.AssetKey, Model]:
        return {asset_key(model.name, self._target.prefix): model for model in models_of(self._read_manifest)}

    @cached_property
    def _lineage(self) -> project.Lineage:
        return project.read_lineage(self._manifest)


def arguments(names: Sequence[str], target: Target, months: Sequence[Month], full_refresh: bool) -> list[str]:
    """The command line that builds and tests what has these names, and nothing else."""
    return [
        *project.DBT,
        "--no-use-colors",
        "build",
        "--target",
        target.name,
        *(["--full-refresh"] if full_refresh else []),
        "--indirect-selection",
        "empty",
        "--select",
        *sorted(names),
        "--vars",
        json.dumps({"months": [str(month) for month in months]}),
    ]
