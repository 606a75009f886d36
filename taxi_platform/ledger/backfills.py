"""Dagster's own backfills: which months wait for one, and whether a daemon is there to run them."""

import time
from collections import defaultdict
from collections.abc import Sequence

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger.record import Waiting
from taxi_platform.trips.services import Service

HEARTBEAT_TIMEOUT = 75.0  # seconds; a daemon writes a heartbeat every 30 s, and later when it is busy


def waiting_months(instance: dg.DagsterInstance, services: Sequence[Service]) -> dict[str, dict[str, Waiting]]:
    """Return, by service and partition, the months of tables that a requested backfill has not dealt with yet.

    Until the daemon has created a backfill's runs, nothing else tells that its partitions are taken care of.
    """
    found: dict[str, dict[str, Waiting]] = defaultdict(dict)
    for backfill in dagster_private.requested_backfills(instance):
        entry = Waiting(backfill.id, backfill.requested_at)
        for service in services:
            found[service.name] |= dict.fromkeys(backfill.undecided(dg.AssetKey(service.table)), entry)
    return found


def seconds_since_heartbeat(instance: dg.DagsterInstance) -> float | None:
    """Return how long ago a daemon that runs backfills reported; None if none ever did."""
    heartbeats = instance.get_daemon_heartbeats()
    if "BACKFILL" not in heartbeats:
        return None
    return time.time() - max(heartbeat.timestamp for heartbeat in heartbeats.values())


def daemon_is_alive(instance: dg.DagsterInstance) -> bool:
    """Return whether a daemon has reported lately."""
    seconds = seconds_since_heartbeat(instance)
    return seconds is not None and seconds <= HEARTBEAT_TIMEOUT
