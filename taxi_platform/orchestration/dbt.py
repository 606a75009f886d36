"""The resource that builds models with dbt as a step of Dagster.

dagster-dbt is not used: importing it takes longer than a build of a small month, and it converts few events.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from taxi_platform.models import project
from taxi_platform.models.targets import BIGQUERY, Target, open_bigquery, open_postgres
from taxi_platform.orchestration.cloud_io import GoogleCloud
from taxi_platform.orchestration.monthly_io import errors_as_failures
from taxi_platform.postgres.server import Server
from taxi_platform.trips.months import Month

LINEAGE = "dagster/column_lineage"

Result = dg.MaterializeResult[Any] | dg.AssetCheckResult


@dataclass(frozen=True)
class Models:
    """The dbt project with its two targets; dbt's files are kept below ``data_dir``."""

    database: Server
    google: GoogleCloud
    data_dir: Path

    def build(self, context: dg.AssetExecutionContext, target: str, *, full_refresh: bool) -> Iterator[Result]:
        """Build the models and run the tests of a run's selection and months, and yield the result of each.

        Raises:
            dagster.Failure: a model or a test failed; the message says which, where and why.
        """
        # Only models of months have partitions; the dimensions do not, even when the same run builds a month's models.
        months = [Month.parse(key) for key in context.partition_keys] if context.assets_def.partitions_def else []
        models = {key.path[-1]: key for key in context.selected_asset_keys}
        checks = {key.name: key for key in context.selected_asset_check_keys}
        folder = self.data_dir / "dbt/builds" / target
        with errors_as_failures(), self._open(target, context.run.run_id) as opened:
            for event in project.build([*models, *checks], opened, months, folder, full_refresh=full_refresh):
                node = event["data"].get("node_info", {})
                match event["info"]["name"], node.get("node_status"):
                    case "LogModelResult" | "LogSeedResult", "success":
                        key = models[node["node_name"]]
                        if node["materialized"] == "monthly":
                            for month, rows in opened.count(key.path[-1], months).items():
                                context.add_asset_metadata({"dagster/partition_row_count": rows}, key, str(month))
                        lineage = context.assets_def.specs_by_key[key].metadata.get(LINEAGE)
                        further = {LINEAGE: lineage} if lineage else {}
                        yield dg.MaterializeResult(asset_key=key, metadata={**_metadata(event), **further})
                    case "LogTestResult", status if status != "skipped":
                        result = _check_result(checks[node["node_name"]], event)
                        if len(months) > 1:
                            _record_months(context, result, months)
                        yield result
                    case _:
                        pass

    def _open(self, name: str, run_id: str) -> AbstractContextManager[Target]:
        project.require(name)
        if name == BIGQUERY:
            return open_bigquery(self.google.cloud(run_id))
        return open_postgres(self.database.address())


ModelsResource = dg.ResourceParam[Models]


def _metadata(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a result, under the names that dagster-dbt gave them in version 0.1."""
    data = event["data"]
    return {
        "Execution Duration": data["execution_time"],
        "unique_id": data["node_info"]["unique_id"],
        "invocation_id": event["info"]["invocation_id"],
        "status": data["node_info"]["node_status"],
    }


def _check_result(key: dg.AssetCheckKey, event: Mapping[str, Any]) -> dg.AssetCheckResult:
    metadata = _metadata(event)
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=metadata["status"] == "pass",
        severity=dg.AssetCheckSeverity.WARN if metadata["status"] == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata={**metadata, "dagster_dbt/failed_row_count": event["data"]["num_failures"]},
    )


def _record_months(context: dg.AssetExecutionContext, result: dg.AssetCheckResult, months: Sequence[Month]) -> None:
    """Record the result of a range for each month: dbt tests all months at once, and Dagster would record none."""
    assert result.asset_key  # noqa: S101 - set above
    for month in months:
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=result.asset_key,
                check_name=result.check_name or "",
                passed=result.passed,
                severity=result.severity,
                partition=str(month),
                description=f"Tested for {months[0]} to {months[-1]} together.",
                metadata=result.metadata,
            )
        )
