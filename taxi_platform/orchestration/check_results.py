"""Record check results as evaluations of Dagster's asset checks, one per month, also in a run of many months.

For a run of a month range Dagster would record a single result without a partition. So the evaluations are made here,
each with its partition; Dagster accepts them as the planned results of the run.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from taxi_platform.checks.results import Check, CheckResult
from taxi_platform.dagster_private import CheckTarget
from taxi_platform.errors import TaxiError
from taxi_platform.ledger.events import latest_materializations
from taxi_platform.retries import MONTH_AGAIN
from taxi_platform.trips.months import Month

CheckMonth = Callable[[Month], Iterable[CheckResult]]
Event = dg.AssetCheckEvaluation | dg.AssetObservation | dg.Output[None]


def check_spec(name: str, **more: Any) -> dg.AssetCheckSpec:
    """Return the spec of a check; with ``partitions_def``, each partition has its own result."""
    with warnings.catch_warnings():
        # Dagster warns of checks with partitions. Without them, February's result would hide January's.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(name, **more)


def specs_of(
    asset: dg.AssetKey, checks: Iterable[Check], partitions: dg.PartitionsDefinition[str] | None = None
) -> list[dg.AssetCheckSpec]:
    """Return the specs of some checks on an asset; with partitions, each month has its own result."""
    return [
        check_spec(
            check.name,
            asset=asset,
            description=f"{check.promise} {check.why}".rstrip(),
            blocking=check.blocks,
            partitions_def=partitions,
        )
        for check in checks
    ]


def record_months(
    context: dg.AssetCheckExecutionContext, asset: dg.AssetKey, months: Sequence[Month], check: CheckMonth
) -> Iterator[Event]:
    """Check every month and record its results; a month that cannot be checked does not stop the others.

    Only checks that the step selects are recorded. ``check`` is called again after a transient error.

    Raises:
        dagster.Failure: months did not pass a blocking check or could not be checked, each with its reason. All
            other results are recorded by then.
    """
    wanted = {spec.name for spec in selected(context, context.check_specs)}
    # The materializations that the results are about: a later one makes the results outdated.
    latest = latest_materializations(context.instance, tuple(asset.path))
    problems: dict[str, str] = {}
    for month in months:
        try:
            every = MONTH_AGAIN.run(lambda month=month: list(check(month)), subject=f"checks of {month}")
        except TaxiError as error:
            problems[str(month)] = str(error)
            context.log.error(f"{month} could not be checked: {error}")
            continue
        results = [result for result in every if result.check.name in wanted]
        made = latest.get(str(month))
        target = CheckTarget(storage_id=made.order, run_id=made.run_id, timestamp=made.timestamp) if made else None
        for result in results:
            yield evaluation(asset, result, target)
        shares = {
            f"share_in_question/{result.check.name}": result.numbers["share"]
            for result in results
            if "share" in result.numbers
        }
        if shares:  # the UI plots them over all months
            yield dg.AssetObservation(asset, partition=str(month), metadata=shares)
        blocked = [f"{result.check.name}: {result.description}" for result in results if result.blocks]
        if blocked:
            problems[str(month)] = " ".join(blocked)
    yield from _outputs(context, (spec for spec in context.check_specs if spec.partitions_def))
    if problems:
        reasons = "\n".join(f"{month}: {reason}" for month, reason in problems.items())
        which = f"{len(problems)} of {len(months)} months" if len(months) > 1 else "A month"
        raise dg.Failure(
            f"{which} of {asset.to_user_string()} did not pass, so nothing is built on this run.\n{reasons}",
            metadata=problems,
            allow_retries=False,  # transient errors have been retried already
        )


def record_service(
    context: dg.AssetCheckExecutionContext, asset: dg.AssetKey, ask: Callable[[], Iterable[CheckResult]]
) -> Iterator[Event]:
    """Record the results that are about a whole service."""
    specs = [spec for spec in context.check_specs if not spec.partitions_def]
    wanted = {spec.name for spec in selected(context, specs)}
    for result in MONTH_AGAIN.run(lambda: list(ask()), subject=f"checks of {asset.to_user_string()}"):
        if result.check.name in wanted:
            yield evaluation(asset, result)
    yield from _outputs(context, specs)


def selected(context: dg.AssetCheckExecutionContext, specs: Iterable[dg.AssetCheckSpec]) -> list[dg.AssetCheckSpec]:
    """Return the specs whose checks the run must make."""
    return [spec for spec in specs if spec.key in context.selected_asset_check_keys]


def _outputs(context: dg.AssetCheckExecutionContext, specs: Iterable[dg.AssetCheckSpec]) -> Iterator[dg.Output[None]]:
    """Yield the outputs by which Dagster knows that the checks are done, so that steps after them begin."""
    for spec in selected(context, specs):
        yield dg.Output(None, output_name=spec.get_python_identifier())


def evaluation(asset: dg.AssetKey, result: CheckResult, target: CheckTarget | None = None) -> dg.AssetCheckEvaluation:
    """Return a check result as Dagster stores it."""
    metadata: dict[str, Any] = {name: value for name, value in result.numbers.items() if value is not None}
    if result.query:
        metadata["rows_by_sql"] = dg.MetadataValue.md(f"```sql\n{result.query}\n```")
    if result.sample:
        rows = [dg.TableRecord({name: _plain(value) for name, value in row.items()}) for row in result.sample]
        metadata["sample"] = dg.MetadataValue.table(rows)
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=result.check.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.check.blocks else dg.AssetCheckSeverity.WARN,
        description=result.description,
        metadata=metadata,
        partition=str(result.month) if result.month else None,
        blocking=result.check.blocks,
        target_materialization_data=target,
    )


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
