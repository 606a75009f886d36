"""The one reader of what Dagster has recorded about months: materializations, attempts, checks, failures, progress.

What follows from the records is decided in ``states`` and ``operations``. Keys are the paths of asset keys.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger.event_metadata import plain_values, read_materialization
from taxi_platform.ledger.heartbeats import abandoned_runs
from taxi_platform.ledger.record import Attempt, Materialized, Outcome
from taxi_platform.trips.keys import BLOCKING_CHECKS, Key, raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

_FINISHED: Mapping[dg.DagsterRunStatus, Outcome] = {
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
    dg.DagsterRunStatus.SUCCESS: "cancelled",  # it succeeded without the month, so nobody is working on it
}
_ENDS = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}


def latest_materializations(instance: dg.DagsterInstance, key: Key) -> dict[str, Materialized]:
    """Return the last materialization of each partition of an asset, in two queries."""
    asset = dg.AssetKey(key)
    latest = dagster_private.latest_storage_ids(instance, asset)
    if not latest:
        return {}
    wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(latest.values()))
    return _by_partition(instance.fetch_materializations(wanted, limit=len(latest)).records)


def recorded_raw_file(instance: dg.DagsterInstance, service: Service, month: Month) -> Materialized | None:
    """Return the last materialization of one raw file, which may have been removed since."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(raw_key(service.table)), asset_partitions=[str(month)])
    return _by_partition(instance.fetch_materializations(wanted, limit=1).records).get(str(month))


def _by_partition(records: Iterable[dg.EventLogRecord]) -> dict[str, Materialized]:
    return {
        made.partition: read_materialization(
            made.metadata, order=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
        if (made := record.asset_materialization) and made.partition
    }


def read_attempts(instance: dg.DagsterInstance, keys: Iterable[Key]) -> dict[Key, dict[str, Attempt]]:
    """Return, by asset and partition, the latest run that was to materialize it and has not, or not yet.

    Deleted runs are left out, because nothing is known about them any more.
    """
    planned = {key: dagster_private.unmaterialized_attempts(instance, dg.AssetKey(key)) for key in keys}
    outcomes = run_outcomes(instance, {run_id for partitions in planned.values() for run_id in partitions.values()})
    return {
        key: {partition: outcomes[run_id] for partition, run_id in partitions.items() if run_id in outcomes}
        for key, partitions in planned.items()
    }


def run_outcomes(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> dict[str, Attempt]:
    """Return what became of runs, by their ids, without the deleted ones."""
    wanted = sorted(run_ids)
    if not wanted:
        return {}
    records = instance.get_run_records(dg.RunsFilter(run_ids=wanted))
    abandoned = abandoned_runs(instance, records)
    return {
        (run_id := record.dagster_run.run_id): Attempt(
            run_id=run_id,
            outcome="failed" if run_id in abandoned else _FINISHED.get(record.dagster_run.status, "unfinished"),
            at=_moment(record.end_time or record.start_time) or record.create_timestamp,
        )
        for record in records
    }


def _moment(timestamp: float | None) -> datetime | None:
    return datetime.fromtimestamp(timestamp, timezone.utc) if timestamp else None


def failed_checks(instance: dg.DagsterInstance, service: Service) -> dict[str, list[str]]:
    """Return, by partition, the blocking checks that the table's last materialization did not pass."""
    keys = [dg.AssetCheckKey(dg.AssetKey(service.table), check) for check in BLOCKING_CHECKS]
    failed: dict[str, list[str]] = defaultdict(list)
    for result in dagster_private.checked_partitions(instance, keys):
        if result.failed and result.is_current and result.partition:
            failed[result.partition].append(result.check)
    return failed


@dataclass(frozen=True)
class Reasons:
    """Why a run failed: for each month that gives a reason of its own, and for the run as a whole."""

    of_months: Mapping[str, str]
    of_run: str

    def of(self, month: Month) -> str:
        """Return the reason of one month."""
        return self.of_months.get(str(month), self.of_run)


def read_reasons(instance: dg.DagsterInstance, attempt: Attempt) -> Reasons:
    """Return why the months of a run that failed or was cancelled are not loaded."""
    of_months: dict[str, str] = {}
    of_steps: list[str] = []
    of_run = "its process is gone, and nothing was heard of it" if attempt.outcome == "failed" else "the run was ended"
    for record in instance.get_records_for_run(attempt.run_id, of_type=_ENDS).records:
        event = record.event_log_entry.dagster_event
        if event and event.is_step_failure:
            failure = event.step_failure_data.user_failure_data
            if failure:
                of_months |= {name: str(value) for name, value in plain_values(failure.metadata).items()}
            of_steps.append((failure and failure.description) or event.step_failure_data.error_display_string.strip())
        elif event and event.message:
            of_run = event.message
    return Reasons(of_months, of_steps[0] if of_steps and attempt.outcome == "failed" else of_run)


@dataclass(frozen=True)
class Progress:
    """A month of a table that a run has just loaded.

    Attributes:
        service: its name.
        month: the month.
        rows: its rows in the table.
        unchanged: whether the table held the file already.
        seconds: how long the load took.
        at: when it was first reported, in seconds since 1970.
        run_id: the run that loaded it.
        is_recorded: whether Dagster counts the month as materialized, which may wait for the end of the run.
    """

    service: str
    month: Month
    rows: int
    unchanged: bool
    seconds: float
    at: float
    run_id: str
    is_recorded: bool


def last_event_id(instance: dg.DagsterInstance) -> int:
    """Return the storage id of the newest event, after which ``read_progress`` can begin."""
    return instance.event_log_storage.get_maximum_record_id() or 0


def read_progress(
    instance: dg.DagsterInstance, service: Service, months: Sequence[Month], *, observed: Sequence[Month], after: int
) -> list[Progress]:
    """Return which months were loaded after an event; of a month, the latest report is the last one.

    In a run over a range each month is observed as soon as it is in place, and materialized when the run ends.

    Args:
        instance: where Dagster's records are.
        service: whose months.
        months: those whose materializations are wanted.
        observed: those whose observations are wanted as well.
        after: the storage id of the last event before.
    """

    def wanted(months: Sequence[Month]) -> dg.AssetRecordsFilter:
        partitions = [str(month) for month in months]
        return dg.AssetRecordsFilter(dg.AssetKey(service.table), asset_partitions=partitions, after_storage_id=after)

    seen: Sequence[dg.EventLogRecord] = ()
    if observed:
        seen = instance.fetch_observations(wanted(observed), limit=len(observed) * 10, ascending=True).records
    made = instance.fetch_materializations(wanted(months), limit=len(months) * 10, ascending=True).records
    return [
        Progress(
            service=service.name,
            month=Month.parse(event.partition),
            rows=values.get("rows_loaded", 0),
            unchanged=bool(values.get("unchanged")),
            seconds=values.get("seconds", 0.0),
            at=record.timestamp,
            run_id=record.run_id,
            is_recorded=record.asset_materialization is not None,
        )
        for record in (*seen, *made)
        if (event := record.asset_materialization or record.asset_observation) and event.partition
        if "rows_loaded" in (values := plain_values(event.metadata))
        or record.asset_materialization  # checks observe, too
    ]
