"""Dagster's own backfills: requesting one, which partitions still wait for one, and whether there is a daemon."""

import time
from collections.abc import Sequence

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger.states import Waiting

HEARD_SECONDS = 75.0  # a daemon writes a heartbeat every 30 s, and later when it is busy

request = dagster_private.request_backfill
end_of = dagster_private.backfill_outcome


def waiting(instance: dg.DagsterInstance, assets: Sequence[dg.AssetKey]) -> dict[dg.AssetKey, dict[str, Waiting]]:
    """Return, for each asset, the partitions that a backfill has not dealt with yet.

    Until the daemon has created a backfill's runs, nothing else tells that its partitions are taken care of.
    """
    found: dict[dg.AssetKey, dict[str, Waiting]] = {asset: {} for asset in assets}
    for backfill in dagster_private.requested_backfills(instance):
        entry = Waiting(backfill.id, backfill.requested_at)
        for asset in assets:
            found[asset] |= dict.fromkeys(backfill.undecided(asset), entry)
    return found


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
