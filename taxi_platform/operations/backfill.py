"""Carries out a backfill plan: loads it by the daemon or in this process, follows it, and reports every month."""

import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger.events import Progress, last_event_id, read_progress, run_outcomes, seconds_since_heartbeat
from taxi_platform.ledger.failures import reason_of_month
from taxi_platform.ledger.heartbeats import abandoned_runs
from taxi_platform.ledger.plan import Plan
from taxi_platform.ledger.reading import read_months
from taxi_platform.ledger.record import MonthRecord
from taxi_platform.ledger.run_tags import range_tags, run_labels
from taxi_platform.retries import PROGRESS
from taxi_platform.trips.keys import Destination, destination_key
from taxi_platform.trips.months import Month, spans
from taxi_platform.trips.services import SERVICES, Service

TIMEOUT_SECONDS = 150.0  # five heartbeats of the daemon; after that without any progress it is given up

MonthKey = tuple[str, Month]
"""A service's name and a month."""
Outcome = Literal["loaded", "unchanged", "failed", "cancelled", "unfinished"]
Show = Callable[[Sequence[Progress]], None]

_UNFINISHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The configuration of runs whose command prints a few lines instead of Dagster's log."""


@dataclass(frozen=True)
class MonthOutcome:
    """The outcome of a backfill for one month."""

    service: str
    month: Month
    outcome: Outcome  # ``loaded`` and ``unchanged`` are in place; ``unfinished`` may still be loaded by the daemon
    rows: int = 0  # its rows in the table
    reason: str = ""  # why it is not in place, if it is not

    @property
    def is_in_place(self) -> bool:
        """Whether the table holds the month, and Dagster knows it."""
        return self.outcome in ("loaded", "unchanged")


def request_backfills(instance: dg.DagsterInstance, definitions: dg.Definitions, plan: Plan) -> list[str]:
    """Request the whole plan from the daemon, which keeps their order, and return the ids of the Dagster backfills.

    Only the table is selected, because loading it fetches the raw file. With the raw file's asset in the same run, one
    bad month would prevent the others from being loaded.
    """
    graph = definitions.resolve_asset_graph()
    return [
        dagster_private.request_backfill(
            instance,
            graph,
            dg.AssetKey(batch[0].key),
            [str(record.month) for record in batch],
            title=f"taxi backfill {batch[0].service.name} {spans(record.month for record in batch)}",
            tags=_labels(batch),
            run_config=plan.run_config(batch),
        )
        for batch in plan.batches()
    ]


def load_here(instance: dg.DagsterInstance, definitions: dg.Definitions, plan: Plan) -> None:
    """Load the whole plan in this process, one run per month range; a run that fails does not stop the next one.

    Ctrl-C and SIGTERM end it as ``KeyboardInterrupt``; the months loaded by then are recorded.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that nothing is half done
    try:
        for months in plan.month_ranges():
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(months[0].key)],
                tags={**_labels(months), **range_tags(months[0].month, months[-1].month)},
                run_config={**plan.run_config(months), **SILENT},
                raise_on_error=False,
            )
            end_if_interrupted(instance, result)
    finally:
        signal.signal(signal.SIGTERM, before)


def end_if_interrupted(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> None:
    """Go on with Ctrl-C or SIGTERM, which Dagster turned into the failure of a step.

    Raises:
        KeyboardInterrupt: the run was interrupted; Dagster's state has it as cancelled.
    """
    if _was_interrupted(result):
        run = instance.get_run_by_id(result.run_id)
        if run and run.status == dg.DagsterRunStatus.FAILURE:
            instance.report_run_canceled(run, "It was ended by Ctrl-C or SIGTERM.")
        raise KeyboardInterrupt


def end_abandoned_runs(instance: dg.DagsterInstance) -> None:
    """Report the runs as failed that a killed process on this machine has left unfinished."""
    records = instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED))
    abandoned = abandoned_runs(instance, records)
    for record in records:
        if record.dagster_run.run_id in abandoned:
            instance.report_run_failed(record.dagster_run, "The process that loaded it was killed.")


def _labels(batch: Sequence[MonthRecord]) -> Mapping[str, str]:
    months = [record.month for record in batch]
    return run_labels(batch[0].service, min(months), max(months), trigger="backfill", backfill=True)


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Return whether the run was interrupted, which Dagster does not report by an exception."""
    failures = [event.step_failure_data for event in result.get_step_failure_events()]
    between_steps = not failures and result.dagster_run.status == dg.DagsterRunStatus.FAILURE
    return between_steps or any(data.error_source and data.error_source.value == "INTERRUPT" for data in failures)


class Follower:
    """Follows months, no matter which run loads them. It must be created before anything is requested."""

    def __init__(self, instance: dg.DagsterInstance, destination: Destination = "postgres") -> None:
        self.progress: dict[MonthKey, Progress] = {}  # the months that were loaded since, as reported last
        self.followed: dict[MonthKey, str | None] = {}  # each with the run whose outcome was known before
        self._instance = instance
        self._destination: Destination = destination
        self._since = last_event_id(instance)

    def follow(self, record: MonthRecord) -> None:
        """Follow another month, from what is known about it now."""
        known = record.last_run if record.state != "in progress" else None
        self.followed[record.service.name, record.month] = known.run_id if known else None

    @property
    def pending(self) -> list[MonthKey]:
        """The months that are not recorded as materialized yet."""
        return [key for key in self.followed if key not in self.progress or not self.progress[key].is_recorded]

    def poll(self) -> list[Progress]:
        """Return the months that were loaded since the last poll."""
        before = set(self.progress)
        for service in _services(self.pending):
            months = [month for name, month in self.pending if name == service.name]
            key = destination_key(service.table, self._destination)
            for progress in read_progress(self._instance, service, key, months, after=self._since):
                self.progress[progress.service, progress.month] = progress
        return [progress for key, progress in self.progress.items() if key not in before]

    def is_over(self) -> bool:
        """Return whether no run and no waiting backfill is working on the months any more."""
        if any(record.is_being_loaded for record in self._read(self.pending).values()):
            return False
        # The runs that loaded the others may still be checking them.
        runs = run_outcomes(self._instance, {progress.run_id for progress in self.progress.values()})
        return not any(run.outcome == "unfinished" for run in runs.values())

    def outcomes(self) -> list[MonthOutcome]:
        """Return the outcome of every month, by service and month."""
        order = list(SERVICES)
        records = self._read(self.followed)
        keys = sorted(records, key=lambda key: (order.index(key[0]), key[1]))
        return [self._outcome(key, records[key]) for key in keys]

    def _read(self, keys: Collection[MonthKey]) -> dict[MonthKey, MonthRecord]:
        ledger = read_months(
            self._instance, _services(keys), ("attempts", "checks", "waiting"), destination=self._destination
        )
        return {(name, month): ledger.months[name][month] for name, month in keys}

    def _outcome(self, key: MonthKey, record: MonthRecord) -> MonthOutcome:
        progress = self.progress.get(key)
        if progress and progress.is_recorded:
            if record.failed_checks:
                reason = f"it is in the table and did not pass {', '.join(record.failed_checks)}"
                return MonthOutcome(*key, "failed", progress.rows, reason)
            return MonthOutcome(*key, "unchanged" if progress.unchanged else "loaded", progress.rows)
        if record.is_being_loaded:
            return MonthOutcome(*key, "unfinished", reason="a run or a backfill is still to load it")
        attempt = record.attempt
        if attempt is None or attempt.run_id == self.followed[key]:
            return MonthOutcome(*key, "cancelled", reason="no run was made for it")
        reason = reason_of_month(self._instance, attempt, record.month)
        if progress:
            reason = f"it is in the table, but its run ended before that was recorded: {reason}"
        return MonthOutcome(*key, "failed" if attempt.outcome == "failed" else "cancelled", reason=reason)


def follow_to_the_end(instance: dg.DagsterInstance, follower: Follower, show: Show) -> float | None:
    """Follow a plan until nobody works on its pending months any more.

    Return for how many seconds the daemon has written no heartbeat, if that is why this gave up; else None.
    """
    progressed = time.monotonic()
    without_heartbeat: float | None = None

    def is_over() -> bool:
        nonlocal progressed, without_heartbeat
        over = follower.is_over()
        loaded = follower.poll()  # afterwards, so that the last months are not missed
        show(loaded)
        if loaded:
            progressed = time.monotonic()
        elif not over and time.monotonic() - progressed > TIMEOUT_SECONDS:
            seconds = seconds_since_heartbeat(instance) or 0.0
            without_heartbeat = seconds if seconds > TIMEOUT_SECONDS else None
        return over or without_heartbeat is not None

    PROGRESS.wait_until(is_over)
    return without_heartbeat


def _services(keys: Collection[MonthKey]) -> list[Service]:
    names = {name for name, _ in keys}
    return [service for service in SERVICES.values() if service.name in names]
