"""Removing old runs with their events, so that Dagster's state does not grow forever.

A run stays while an asset's status in the UI rests on it: the latest materialization of any partition, its latest
failed attempt, or the latest result of a check. Runs in progress stay, however old they are.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger.events import latest_materializations

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Removed:
    """How many runs were removed, or would have been, and how many old runs were kept."""

    runs: int
    kept: int


def remove_old_runs(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool = False) -> Removed:
    """Remove the finished runs that were last changed before a moment and that nothing rests on, oldest first."""
    old = instance.get_run_ids(dg.RunsFilter(statuses=FINISHED, updated_before=before))[::-1]
    needed = needed_runs(instance) if old else set[str]()
    removable = [run_id for run_id in old if run_id not in needed]
    if not dry_run:
        for run_id in removable:
            _remove(instance, run_id)
    return Removed(runs=len(removable), kept=len(old) - len(removable))


def needed_runs(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs on which the status of an asset, of one of its partitions or of a check rests."""
    needed: set[str] = set()
    for key in instance.all_asset_keys():
        latest = instance.get_latest_materialization_event(key)  # of an asset without partitions
        needed |= {latest.run_id} if latest else set()
        needed.update(made.run_id for made in latest_materializations(instance, tuple(key.path)).values())
        needed.update(dagster_private.unmaterialized_attempts(instance, key).values())  # they make partitions red
    return needed | dagster_private.runs_of_latest_check_results(instance)


def _remove(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove a run, its row last, so that the next attempt finds it again if this one is killed."""
    manager: Any = instance.compute_log_manager
    manager.delete_logs(prefix=[run_id])
    dagster_private.delete_events(instance, run_id)
    instance.delete_run(run_id)
