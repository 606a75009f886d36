"""``python -m benchmarks.one_backfill MODULE ASSET…``: backfill all months of some assets by the running daemon.

Prints as JSON the seconds until the last month is recorded, from the request and from the creation of the first run.
"""

import importlib
import json
import sys
import time
from typing import Any

import dagster as dg

from taxi_platform import dagster_private

MONTHS = 31
TIMEOUT_SECONDS = 600.0
INTERVAL_SECONDS = 30.0  # between the daemon's ticks for backfills; no setting changes it


def main(module: str, *names: str) -> None:
    """Request one backfill per asset, wait until every month is recorded, and print the times."""
    assets = [dg.AssetKey(name) for name in names]
    loaded: Any = importlib.import_module(module).defs
    graph = (loaded if isinstance(loaded, dg.Definitions) else loaded()).resolve_asset_graph()
    with dg.DagsterInstance.get() as instance:
        _wait_for_the_middle(instance)
        since = instance.event_log_storage.get_maximum_record_id() or 0
        requested = time.time()
        backfills = [
            dagster_private.request_backfill(
                instance,
                graph,
                asset,
                graph.get(asset).partitions_def.get_partition_keys(),
                title="benchmark",
                tags={},
                run_config={},
            )
            for asset in assets
        ]
        last = _wait(instance, assets, since, requested)
        runs = [
            record
            for backfill in backfills
            for record in instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": backfill}))
        ]
    first = min(record.create_timestamp.timestamp() for record in runs)
    print(json.dumps({"whole": last - requested, "working": last - first, "runs": len(runs)}))


def _wait_for_the_middle(instance: dg.DagsterInstance) -> None:
    """Wait until half of the daemon's interval has passed, so that every request waits the average time."""
    while "BACKFILL" not in (heartbeats := instance.get_daemon_heartbeats()):
        time.sleep(0.5)
    last_tick = heartbeats["BACKFILL"].timestamp
    time.sleep((last_tick + INTERVAL_SECONDS / 2 - time.time()) % INTERVAL_SECONDS)


def _wait(instance: dg.DagsterInstance, assets: list[dg.AssetKey], since: int, requested: float) -> float:
    """Wait until every month is recorded, and return the time of the last one."""
    left = list(assets)
    while left:
        if time.time() - requested > TIMEOUT_SECONDS:
            raise TimeoutError(f"the months of {left} are not recorded; is the daemon running?")
        time.sleep(0.5)
        made = instance.event_log_storage.get_latest_storage_id_by_partition(
            left[0], dg.DagsterEventType.ASSET_MATERIALIZATION, after_cursor=since
        )
        if len(made) == MONTHS:
            left.pop(0)
    return max(
        record.timestamp
        for asset in assets
        for record in instance.fetch_materializations(
            dg.AssetRecordsFilter(asset, after_storage_id=since), MONTHS
        ).records
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
