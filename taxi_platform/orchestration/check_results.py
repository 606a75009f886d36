"""How verdicts become results of Dagster's asset checks: every month's own, whether a run is about one month or many.

In a run over a range of months Dagster would record one result that belongs to no month, so the evaluations that it
makes of results otherwise are made here, each with its partition. They belong to the run, and answer what it planned.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence

import dagster as dg

from taxi_platform.checks.results import Check, Verdict
from taxi_platform.dagster_private import CheckTarget
from taxi_platform.errors import TaxiError
from taxi_platform.ledger.events import latest_materializations
from taxi_platform.retries import MONTH_AGAIN
from taxi_platform.trips.months import Month

Judge = Callable[[Month], Iterable[Verdict]]
Event = dg.AssetCheckEvaluation | dg.AssetObservation | dg.Output[None]
Targets = dict[str, CheckTarget]


def specs_of(
    asset: dg.AssetKey, checks: Iterable[Check], partitions: dg.PartitionsDefinition[str] | None = None
) -> list[dg.AssetCheckSpec]:
    """The definitions of some checks on an asset; with partitions, each month has its own result."""
    with warnings.catch_warnings():
        # Of partitions of checks: without them, February's result would hide January's.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                check.name,
                asset=asset,
                description=f"{check.promise} {check.why}".rstrip(),
                blocking=check.blocks,
                partitions_def=partitions,
            )
            for check in checks
        ]


def record_months(
    context: dg.AssetCheckExecutionContext, asset: dg.AssetKey, months: Sequence[Month], judge: Judge
) -> Iterator[Event]:
    """Judge every month and record its verdicts; a month that cannot be judged does not stop the others.

    Args:
        context: the context of the step; of its checks, those that were selected are recorded.
        asset: what they are about.
        months: which months.
        judge: gives a month's verdicts. What it raises for a reason that may pass is tried again after a while.

    Raises:
        dagster.Failure: months that broke a promise which blocks, or could not be judged, each with its reason. All
            other verdicts are recorded by then.
    """
    wanted = {spec.name for spec in selected(context, context.check_specs)}
    targets = _targets(context.instance, asset)
    problems: dict[Month, str] = {}
    for month in months:
        try:
            found = MONTH_AGAIN.run(lambda month=month: list(judge(month)), subject=f"checks of {month}")
        except TaxiError as error:
            problems[month] = str(error)
            context.log.error(f"{month} could not be checked: {error}")
            continue
        verdicts = [verdict for verdict in found if verdict.check.name in wanted]
        for verdict in verdicts:
            yield evaluation(asset, verdict, targets)
        yield from _observed(asset, month, verdicts)
        blocked = [f"{verdict.check.name}: {verdict.story}" for verdict in verdicts if verdict.blocks]
        if blocked:
            problems[month] = " ".join(blocked)
    yield from _outputs(context, (spec for spec in context.check_specs if spec.partitions_def))
    if problems:
        raise _failure(asset, problems, len(months))


def record_service(
    context: dg.AssetCheckExecutionContext, asset: dg.AssetKey, ask: Callable[[], Iterable[Verdict]]
) -> Iterator[Event]:
    """Record verdicts that are about no month in particular.

    Raises:
        TaxiError: what ``ask`` raises, in the last attempt.
    """
    specs = [spec for spec in context.check_specs if not spec.partitions_def]
    wanted = {spec.name for spec in selected(context, specs)}
    for verdict in MONTH_AGAIN.run(lambda: list(ask()), subject=f"checks of {asset.to_user_string()}"):
        if verdict.check.name in wanted:
            yield evaluation(asset, verdict)
    yield from _outputs(context, specs)


def selected(context: dg.AssetCheckExecutionContext, specs: Iterable[dg.AssetCheckSpec]) -> list[dg.AssetCheckSpec]:
    """Those of some checks that the run is to make."""
    return [spec for spec in specs if spec.key in context.selected_asset_check_keys]


def _outputs(context: dg.AssetCheckExecutionContext, specs: Iterable[dg.AssetCheckSpec]) -> Iterator[dg.Output[None]]:
    """What tells Dagster that the checks are done, and whatever waits for them may begin."""
    for spec in selected(context, specs):
        yield dg.Output(None, output_name=spec.get_python_identifier())


def evaluation(asset: dg.AssetKey, verdict: Verdict, targets: Targets | None = None) -> dg.AssetCheckEvaluation:
    """A verdict as Dagster keeps it."""
    partition = str(verdict.month) if verdict.month else None
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=verdict.check.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR if verdict.check.blocks else dg.AssetCheckSeverity.WARN,
        description=verdict.story,
        metadata=_metadata(verdict),
        partition=partition,
        blocking=verdict.check.blocks,
        target_materialization_data=(targets or {}).get(partition or ""),
    )


def _observed(asset: dg.AssetKey, month: Month, verdicts: Iterable[Verdict]) -> Iterator[dg.AssetObservation]:
    """What share of a month's rows each rule is broken by, which the UI draws over all months."""
    shares = {f"share_in_question/{one.check.name}": one.numbers["share"] for one in verdicts if "share" in one.numbers}
    if shares:
        yield dg.AssetObservation(asset, partition=str(month), metadata=shares)


def _metadata(verdict: Verdict) -> dict[str, dg.MetadataValue]:
    values: dict[str, object] = {name: value for name, value in verdict.numbers.items() if value is not None}
    if verdict.query:
        values["rows_by_sql"] = dg.MetadataValue.md(f"```sql\n{verdict.query}\n```")
    if verdict.sample:
        values["sample"] = dg.MetadataValue.table(
            [dg.TableRecord({name: _plain(value) for name, value in row.items()}) for row in verdict.sample]
        )
    return values  # pyright: ignore[reportReturnType]  # plain values become metadata in the evaluation


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _targets(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Targets:
    """Return the materializations that results are about, by partition: a later one makes the results outdated."""
    return {
        partition: CheckTarget(storage_id=made.order, run_id=made.run_id, timestamp=made.timestamp)
        for partition, made in latest_materializations(instance, tuple(asset.path)).items()
    }


def _failure(asset: dg.AssetKey, problems: dict[Month, str], total: int) -> dg.Failure:
    reasons = "\n".join(f"{month}: {reason}" for month, reason in problems.items())
    months = f"{len(problems)} of {total} months" if total > 1 else "A month"
    return dg.Failure(
        f"{months} of {asset.to_user_string()} did not pass, so nothing is built on this run.\n{reasons}",
        metadata={str(month): reason for month, reason in problems.items()},
        allow_retries=False,  # what may pass has had its time
    )
