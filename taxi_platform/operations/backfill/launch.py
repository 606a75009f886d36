"""Has a plan carried out: by the daemon, as Dagster backfills that the web UI shows, or by this process."""

import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import dagster as dg

from taxi_platform.ledger import backfills as queue
from taxi_platform.ledger.heartbeats import abandoned_runs
from taxi_platform.ledger.plan import Plan, Stretch
from taxi_platform.ledger.run_tags import BY_BACKFILL, run_labels

_UNFINISHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


def ask_daemon(instance: dg.DagsterInstance, plan: Plan) -> list[str]:
    """Ask the daemon for all that is planned, and return the ids of the Dagster backfills.

    It is one a service, and one a stretch of months when the newest shall come first: only the order of backfills is
    the daemon's, too. The table alone is chosen, for it brings the raw file along; with the raw file's asset in the
    same run, one bad month would keep the others from their table.
    """
    from taxi_platform.definitions import defs

    graph = defs().resolve_asset_graph()
    return [
        queue.request(
            instance,
            graph,
            dg.AssetKey(stretches[0].service.table),
            [str(month) for one in stretches for month in one.first.through(one.last)],
            title=_title(stretches),
            tags=_labels(stretches),
            run_config=plan.run_config(stretches),
        )
        for stretches in plan.batches()
    ]


def load_here(instance: dg.DagsterInstance, plan: Plan) -> None:
    """Load all that is planned in this process, one run a stretch of months, and wait for it.

    What became of each month is told by the instance. A run that fails does not keep the next from being tried.

    Raises:
        KeyboardInterrupt: somebody ended it, by Ctrl-C or SIGTERM; what was in place by then is recorded.
    """
    from taxi_platform.definitions import defs

    job = defs().resolve_implicit_global_asset_job_def()
    with _ended_by(signal.SIGTERM):
        for stretch in plan.stretches():
            span = {
                "dagster/asset_partition_range_start": str(stretch.first),
                "dagster/asset_partition_range_end": str(stretch.last),
            }
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(stretch.service.table)],
                tags={**_labels([stretch]), **span},
                run_config={**plan.run_config([stretch]), "loggers": _QUIET},
                raise_on_error=False,
            )
            if _was_interrupted(result):
                _call_cancelled(instance, result.run_id)
                raise KeyboardInterrupt


def end_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report the runs whose process on this machine is gone as failed, and return their ids."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED))
    abandoned = abandoned_runs(instance, records)
    for record in records:
        if record.dagster_run.run_id in abandoned:
            instance.report_run_failed(record.dagster_run, "The process that loaded it was killed.")
    return sorted(abandoned)


def _labels(stretches: Sequence[Stretch]) -> Mapping[str, str]:
    service = stretches[0].service
    first, last = min(one.first for one in stretches), max(one.last for one in stretches)
    return run_labels(service, first, last, trigger=BY_BACKFILL, backfill=True)


def _title(stretches: Sequence[Stretch]) -> str:
    spans = ", ".join(str(one.first) if one.first == one.last else f"{one.first}..{one.last}" for one in stretches)
    return f"taxi backfill {stretches[0].service.name} {spans}"


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether somebody ended the run, which Dagster tells by no exception."""
    failures = [event.step_failure_data for event in result.get_step_failure_events()]
    unasked = not failures and result.dagster_run.status == dg.DagsterRunStatus.FAILURE  # between two steps
    return unasked or any(data.error_source and data.error_source.value == "INTERRUPT" for data in failures)


def _call_cancelled(instance: dg.DagsterInstance, run_id: str) -> None:
    """Have Dagster count a run as cancelled that was ended at the keyboard, for it takes that for a failure."""
    run = instance.get_run_by_id(run_id)
    if run and run.status == dg.DagsterRunStatus.FAILURE:
        instance.report_run_canceled(run, "It was ended by Ctrl-C or SIGTERM.")


@contextmanager
def _ended_by(number: signal.Signals) -> Generator[None]:
    """Have a signal end what is going on as Ctrl-C does, so that nothing half-done is left to others."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(number, end)
    try:
        yield
    finally:
        signal.signal(number, before)
