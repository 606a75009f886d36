"""Dagster's own backfills: asking the daemon for one, what it has yet to deal with, and whether there is a daemon.

The only module that knows how Dagster keeps a backfill; none of that is public in Dagster 1.13, whose web server does
the same as ``request``.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from taxi_platform.ledger.states import Waiting

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

HEARD_SECONDS = 75.0  # a daemon writes a heartbeat every 30 s, and later when it is busy
_TERMINAL = {
    BulkActionStatus.COMPLETED,
    BulkActionStatus.COMPLETED_SUCCESS,
    BulkActionStatus.COMPLETED_FAILED,
    BulkActionStatus.FAILED,
    BulkActionStatus.CANCELED,
}


def request(
    instance: dg.DagsterInstance,
    graph: "AssetGraph",
    asset: dg.AssetKey,
    partitions: Sequence[str],
    *,
    title: str,
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
) -> str:
    """Ask the daemon for a backfill of an asset's partitions, and return its id.

    The daemon makes a run of each stretch of partitions without a gap, and starts the backfills in the order in which
    they were asked for.
    """
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=graph,
        partition_names=partitions,
        asset_selection=[asset],
        backfill_timestamp=time.time(),
        tags=tags,
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=title,
        description=None,
        run_config=run_config,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id


def waiting(instance: dg.DagsterInstance, assets: Sequence[dg.AssetKey]) -> dict[dg.AssetKey, dict[str, Waiting]]:
    """For each asset, the partitions that a backfill has yet to deal with.

    Until the daemon has made a backfill's runs, nothing else tells that its partitions are taken care of.
    """
    found: dict[dg.AssetKey, dict[str, Waiting]] = {asset: {} for asset in assets}
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])):
        entry = Waiting(backfill.backfill_id, datetime.fromtimestamp(backfill.backfill_timestamp, timezone.utc))
        for asset in assets:
            found[asset] |= dict.fromkeys(_undecided(backfill, asset), entry)
    return found


def end_of(instance: dg.DagsterInstance, backfill_id: str) -> str | None:
    """How a backfill ended, in Dagster's word for it and with its error if there is one; None while it goes on."""
    backfill = instance.get_backfill(backfill_id)
    if backfill is None:
        return "DELETED"
    if backfill.status not in _TERMINAL:
        return None
    return f"{backfill.status.value}: {backfill.error.message}" if backfill.error else backfill.status.value


def heard_before(instance: dg.DagsterInstance) -> float | None:
    """How many seconds ago a daemon that works on backfills has last been heard; None when none ever was."""
    heartbeats = instance.get_daemon_heartbeats()
    if "BACKFILL" not in heartbeats:
        return None
    return time.time() - max(heartbeat.timestamp for heartbeat in heartbeats.values())


def daemon_is_alive(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon has been heard lately."""
    before = heard_before(instance)
    return before is not None and before <= HEARD_SECONDS


def _undecided(backfill: PartitionBackfill, asset: dg.AssetKey) -> set[str]:
    """Partitions of the asset whose fate a backfill that goes on has not seen yet."""
    data = backfill.asset_backfill_data
    if data is None:
        return _not_submitted(backfill, asset)
    target, *decided = (
        _keys(subset.partitions_subsets_by_asset_key.get(asset))
        for subset in (data.target_subset, data.materialized_subset, data.failed_and_downstream_subset)
    )
    return target.difference(*decided)


def _keys(subset: Any) -> set[str]:
    return set(subset.get_partition_keys()) if subset is not None else set()


def _not_submitted(backfill: PartitionBackfill, asset: dg.AssetKey) -> set[str]:
    """Of a backfill of a job, the partitions that come after the last of which a run was made."""
    names = list(backfill.partition_names or [])
    if backfill.job_name != f"{asset.path[-1]}_job":
        return set()
    last = backfill.last_submitted_partition_name
    return set(names[names.index(last) + 1 :] if last in names else names)
