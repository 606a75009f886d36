"""One run of ``dbt build`` as a Dagster step: its command line, and the events that are recorded.

dagster-dbt runs dbt and converts its events. It is imported here and nowhere else, because the import takes one to two
seconds that only runs that build models should pay.
"""

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
from taxi_platform.models.manifest import Lineage, Model, models_of
from taxi_platform.models.targets import Target
from taxi_platform.orchestration.dbt import asset_key, column_lineage
from taxi_platform.trips.months import Month


class Translator(DagsterDbtTranslator):
    """Gives dbt's models the keys of the platform's assets."""

    def __init__(self, prefix: Sequence[str]) -> None:
        super().__init__()
        self._prefix = prefix

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """Return dagster-dbt's spec with our key."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        name = self.get_resource_props(manifest, unique_id)["name"]
        return spec.replace_attributes(key=asset_key(name, self._prefix))


class Build:
    """One run of ``dbt build``.

    Args:
        context: the step's.
        target: where it builds.
        manifest: the manifest for that target.
        folder: where dbt may write; its files are removed at the end.
    """

    def __init__(self, context: dg.AssetExecutionContext, target: Target, manifest: Path, folder: Path) -> None:
        self._context = context
        self._target = target
        self._manifest = manifest
        self._target_path = folder / f"{context.run.run_id[:8]}-{context.op_execution_context.op.name}"
        # The dimensions have no months, even when the same run builds a month's models.
        has_months = context.assets_def.partitions_def is not None
        self._months = [Month.parse(key) for key in context.partition_keys] if has_months else []

    def events(self, *, full_refresh: bool) -> Iterator[Any]:
        """Build the step's models and yield the event of each model and test as it ends.

        Args:
            full_refresh: whether tables are rebuilt with all loaded months.

        Raises:
            BrokenModels: a model or a test failed; the message says which, where and why.
        """
        context = self._context
        chosen = [self._models[key].name for key in context.selected_asset_keys]
        tests = [key.name for key in context.selected_asset_check_keys]
        try:
            invocation = self._start([*chosen, *tests], full_refresh=full_refresh)
            for event in invocation.stream_raw_events():
                yield from self._recorded(event, invocation)
        except DagsterDbtCliRuntimeError as error:
            raise project.read_failure(str(error)) from None
        finally:
            shutil.rmtree(self._target_path, ignore_errors=True)

    def _start(self, names: Sequence[str], *, full_refresh: bool) -> DbtCliInvocation:
        """Start dbt.

        ``DbtCliResource`` would run ``dbt --version`` first, which uses the network, and import all of dbt here.
        """
        self._target_path.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._manifest.parent / project.PARTIAL_PARSE, self._target_path)
        return DbtCliInvocation.run(
            args=project.build_arguments(names, self._target.name, self._months, full_refresh=full_refresh),
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
        for result in event.to_default_asset_events(
            invocation.manifest, invocation.dagster_dbt_translator, self._context, self._target_path
        ):
            if isinstance(result, dg.Output):
                self._describe(result.output_name)
            elif isinstance(result, dg.AssetCheckResult) and len(self._months) > 1:
                self._record_months(result)
            yield result

    def _describe(self, output: str) -> None:
        """Add the lineage of a model's columns and, for a fact, the rows of each month to its metadata."""
        key = next(key for key in self._models if key.to_python_identifier() == output)
        model = self._models[key]
        self._context.add_asset_metadata(column_lineage(model, self._target.prefix, self._lineage), key)
        if model.kind == "monthly":
            for month, rows in self._target.count(model.name, self._months).items():
                self._context.add_asset_metadata({"dagster/partition_row_count": rows}, key, str(month))

    def _record_months(self, result: dg.AssetCheckResult) -> None:
        """Record the result of a range for each month: dbt tests all months at once, and Dagster would record none."""
        assert result.asset_key  # noqa: S101 - dagster-dbt always sets it
        for month in self._months:
            self._context.instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=result.asset_key,
                    check_name=result.check_name or "",
                    passed=result.passed,
                    severity=result.severity,
                    partition=str(month),
                    description=f"Tested for {self._months[0]} to {self._months[-1]} together.",
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
    def _lineage(self) -> Lineage:
        return project.read_lineage(self._manifest)
