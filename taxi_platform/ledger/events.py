"""The one reader of what Dagster has recorded about months. What follows from it is decided in ``record``."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger.event_metadata import plain_values, read_materialization
from taxi_platform.ledger.heartbeats import abandoned_runs
from taxi_platform.ledger.record import Attempt, Materialized, RunOutcome, Waiting
from taxi_platform.trips.keys import BLOCKING_CHECKS, Key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

PAGE = 1000  # events
MOST_EVENTS = 10_000  # Dagster refuses to return more at once
DAEMON_TIMEOUT = 75.0  # seconds; a daemon writes a heartbeat every 30 s, and later when it is busy

_FINISHED: Mapping[dg.DagsterRunStatus, RunOutcome] = {
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
    dg.DagsterRunStatus.SUCCESS: "cancelled",  # it succeeded without the month, so nobody is working on it
}
_UNFINISHED = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)


def latest_materializations(instance: dg.DagsterInstance, key: Key) -> dict[str, Materialized]:
    """Return the last materialization of each partition of an asset, in two queries up to 10,000 partitions."""
    asset = dg.AssetKey(key)
    latest = dagster_private.latest_storage_ids(instance, asset)
    ids, found = list(latest.values()), dict[str, Materialized]()
    for start in range(0, len(ids), MOST_EVENTS):
        wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=ids[start : start + MOST_EVENTS])
        found |= _by_partition(instance.fetch_materializations(wanted, limit=MOST_EVENTS).records)
    return found


def bytes_billed(instance: dg.DagsterInstance, key: Key) -> dict[Month, int]:
    """Return what BigQuery billed, according to the materializations, for all loads of each month of a table."""
    billed: dict[Month, int] = defaultdict(int)
    cursor, has_more = None, True
    while has_more:
        page = instance.fetch_materializations(dg.AssetKey(key), limit=PAGE, cursor=cursor)
        for record in page.records:
            made = record.asset_materialization
            if made and made.partition:
                billed[Month.parse(made.partition)] += plain_values(made.metadata).get("bytes_billed", 0)
        cursor, has_more = page.cursor, page.has_more
    return billed


def latest_materialization(instance: dg.DagsterInstance, key: Key, month: Month) -> Materialized | None:
    """Return the last materialization of one month of an asset."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(key), asset_partitions=[str(month)])
    return _by_partition(instance.fetch_materializations(wanted, limit=1).records).get(str(month))


def last_materialized(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey]) -> dict[str, str]:
    """Return, by the name of the asset, when it was last materialized and which partition, in words."""
    entries = (record.asset_entry for record in instance.get_asset_records(list(assets)))
    return {
        entry.asset_key.to_user_string(): f"last materialized at {_moment(last.timestamp):%Y-%m-%d %H:%M+00:00}"
        + (f", {last.partition_key}" if last.partition_key else "")
        for entry in entries
        if (last := entry.last_materialization_record)
    }


def _by_partition(records: Iterable[dg.EventLogRecord]) -> dict[str, Materialized]:
    return {
        made.partition: read_materialization(
            made.metadata, order=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
        if (made := record.asset_materialization) and made.partition
    }


def read_attempts(instance: dg.DagsterInstance, keys: Iterable[Key]) -> dict[Key, dict[str, Attempt]]:
    """Return, by asset and partition, the latest run that should materialize it and has not, without deleted runs."""
    planned = {key: dagster_private.unmaterialized_attempts(instance, dg.AssetKey(key)) for key in keys}
    outcomes = run_outcomes(instance, {run_id for partitions in planned.values() for run_id in partitions.values()})
    return {
        key: {partition: outcomes[run_id] for partition, run_id in partitions.items() if run_id in outcomes}
        for key, partitions in planned.items()
    }


def run_outcomes(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> dict[str, Attempt]:
    """Return the outcomes of runs, by their ids, without the deleted ones."""
    wanted = sorted(run_ids)
    records = instance.get_run_records(dg.RunsFilter(run_ids=wanted)) if wanted else ()
    abandoned = abandoned_runs(instance, records)
    outcomes: dict[str, Attempt] = {}
    for record in records:
        run, ended = record.dagster_run, record.end_time or record.start_time
        outcome = "failed" if run.run_id in abandoned else _FINISHED.get(run.status, "unfinished")
        outcomes[run.run_id] = Attempt(run.run_id, outcome, _moment(ended) if ended else record.create_timestamp)
    return outcomes


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, timezone.utc)


def unfinished_runs(instance: dg.DagsterInstance) -> dict[str, int]:
    """Return how many runs are queued, starting and started."""
    return {status.value.lower(): instance.get_runs_count(dg.RunsFilter(statuses=[status])) for status in _UNFINISHED}


def failed_checks(instance: dg.DagsterInstance, key: Key) -> dict[str, list[str]]:
    """Return, by partition, the blocking checks that a table's last materialization did not pass."""
    keys = [dg.AssetCheckKey(dg.AssetKey(key), check) for check in BLOCKING_CHECKS]
    failed: dict[str, list[str]] = defaultdict(list)
    for partition, check in dagster_private.failed_partitions(instance, keys):
        failed[partition].append(check)
    return failed


def waiting_months(instance: dg.DagsterInstance, key: Key) -> dict[str, Waiting]:
    """Return the partitions of a table that a requested backfill has not dealt with yet.

    Until the daemon has created a backfill's runs, nothing else shows that its partitions are taken care of.
    """
    undecided = dagster_private.undecided_partitions(instance, dg.AssetKey(key))
    return {partition: Waiting(*backfill) for partition, backfill in undecided.items()}


def seconds_since_heartbeat(instance: dg.DagsterInstance) -> float | None:
    """Return the seconds since the last heartbeat; None if no backfill daemon ever ran."""
    heartbeats = instance.get_daemon_heartbeats()
    latest = max((heartbeat.timestamp for heartbeat in heartbeats.values()), default=0.0)
    return time.time() - latest if "BACKFILL" in heartbeats else None


def daemon_is_alive(instance: dg.DagsterInstance) -> bool:
    """Return whether a daemon has reported lately."""
    seconds = seconds_since_heartbeat(instance)
    return seconds is not None and seconds <= DAEMON_TIMEOUT


@dataclass(frozen=True)
class Progress:
    """A month of a table that a run has just loaded."""

    service: str
    month: Month
    rows: int
    unchanged: bool  # whether the table held the file already
    seconds: float  # how long the load took
    run_id: str
    is_recorded: bool  # whether Dagster counts it as materialized, which may wait for the end of the run


def last_event_id(instance: dg.DagsterInstance) -> int:
    """Return the storage id of the newest event, after which ``read_progress`` can begin."""
    return instance.event_log_storage.get_maximum_record_id() or 0


def read_progress(
    instance: dg.DagsterInstance, service: Service, key: Key, months: Sequence[Month], *, after: int
) -> list[Progress]:
    """Return which months were loaded after an event; the last entry about a month is the latest one.

    In a run over a range each month is observed as soon as it is in place, and materialized when the run ends.
    """
    partitions = [str(month) for month in months]
    wanted = dg.AssetRecordsFilter(dg.AssetKey(key), asset_partitions=partitions, after_storage_id=after)
    most = min(len(months) * 10, MOST_EVENTS)
    pages = [
        fetch(wanted, most, ascending=True) for fetch in (instance.fetch_observations, instance.fetch_materializations)
    ]
    found: list[Progress] = []
    for record in [record for page in pages for record in page.records]:
        event = record.asset_materialization or record.asset_observation
        values = plain_values(event.metadata) if event else {}
        # Checks observe, too, but do not count rows.
        if event and event.partition and (record.asset_materialization or "rows_loaded" in values):
            found.append(
                Progress(
                    service=service.name,
                    month=Month.parse(event.partition),
                    rows=values.get("rows_loaded", 0),
                    unchanged=bool(values.get("unchanged")),
                    seconds=values.get("seconds", 0.0),
                    run_id=record.run_id,
                    is_recorded=record.asset_materialization is not None,
                )
            )
    return found
