"""Removing old runs with their events, so that the state does not grow for ever. What runs are for, stays.

A run stays while an asset's status in the UI rests on it: the latest materialization of any partition, its latest
failed attempt, or the latest result of a check. What is in progress stays, however old it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

if TYPE_CHECKING:
    from dagster._core.storage.event_log import SqlEventLogStorage

BATCH = 100  # runs between two lines of the log; a run that is ended here goes on next time
_AT_ONCE = 1000  # events that are held in memory

MATERIALIZATION = dg.DagsterEventType.ASSET_MATERIALIZATION


@dataclass(frozen=True)
class Removed:
    """What became of the runs that are old enough.

    Attributes:
        runs: how many were removed, or would have been.
        events: how many events went with them.
        kept: how many stay, because an asset's status rests on them.
    """

    runs: int
    events: int
    kept: int


def remove_old_runs(
    instance: dg.DagsterInstance,
    before: datetime,
    log: dg.DagsterLogManager,
    *,
    dry_run: bool = False,
) -> Removed:
    """Remove the finished runs that nothing rests on, their events and what their processes printed, oldest first.

    Args:
        instance: the instance.
        before: runs that were last touched before this moment are old.
        log: is told what was done.
        dry_run: only count.
    """
    old = instance.get_run_ids(dg.RunsFilter(statuses=list(FINISHED_STATUSES), updated_before=before))[::-1]
    needed = needed_runs(instance) if old else set[str]()
    removable = [run_id for run_id in old if run_id not in needed]
    events = 0
    for start in range(0, len(removable), BATCH):
        batch = removable[start : start + BATCH]
        events += _count_events(instance, batch)
        if not dry_run:
            for run_id in batch:
                _remove(instance, run_id)
        log.info(f"{start + len(batch):,} of {len(removable):,} old runs {'counted' if dry_run else 'removed'}")
    return Removed(runs=len(removable), events=events, kept=len(old) - len(removable))


def needed_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs on which the status of an asset, of one of its partitions or of a check rests."""
    needed: set[str] = set()
    for key in instance.all_asset_keys():
        needed |= {*_latest_materializations(instance, key), *_failed_attempts(instance, key)}
    results = instance.event_log_storage.get_latest_asset_check_execution_by_key(_checks(instance))
    return needed | {result.run_id for result in results.values()}


def _latest_materializations(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterator[str]:
    latest = instance.get_latest_materialization_event(key)
    if latest:
        yield latest.run_id
    by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(key, MATERIALIZATION)
    ids = sorted(by_partition.values())
    for start in range(0, len(ids), _AT_ONCE):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _AT_ONCE])
        yield from (record.run_id for record in instance.fetch_materializations(wanted, limit=_AT_ONCE).records)


def _failed_attempts(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterator[str]:
    """The runs that were to materialize a partition, and did not: its square is red because of them."""
    storage = instance.event_log_storage
    attempts = storage.get_latest_asset_partition_materialization_attempts_without_materializations(key)
    yield from (run_id for run_id, _ in attempts.values())


def _remove(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove a run, its row last: who is killed half-way finds it again."""
    manager: Any = instance.compute_log_manager
    manager.delete_logs(prefix=[run_id])
    instance.event_log_storage.delete_events(run_id)
    instance.delete_run(run_id)


def _checks(instance: dg.DagsterInstance) -> list[dg.AssetCheckKey]:
    """Every check that has ever been executed."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from sqlalchemy import select

    checks = AssetCheckExecutionsTable.c
    with _events_of(instance).index_connection() as connection:
        found = connection.execute(select(checks.asset_key, checks.check_name).distinct()).fetchall()
    keys = [(dg.AssetKey.from_db_string(key), name) for key, name in found]
    return [dg.AssetCheckKey(key, name) for key, name in keys if key]


def _count_events(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> int:
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
    from sqlalchemy import func, select

    events = SqlEventLogStorageTable.c
    with _events_of(instance).index_connection() as connection:
        return connection.execute(select(func.count()).where(events.run_id.in_(run_ids))).scalar_one()


def _events_of(instance: dg.DagsterInstance) -> "SqlEventLogStorage":
    """The events where they are tables, for the two questions that the instance has no answer to."""
    return cast("SqlEventLogStorage", instance.event_log_storage)
