"""The latest materialization of each partition of an asset, in two queries. What it says is its reader's business."""

from collections.abc import Iterator

import dagster as dg

from taxi_platform import dagster_private


def latest_materializations(
    instance: dg.DagsterInstance, key: dg.AssetKey
) -> Iterator[tuple[dg.AssetMaterialization, dg.EventLogRecord]]:
    """What is on record of every partition that was ever materialized, with the record that holds it."""
    latest = dagster_private.latest_storage_ids(instance, key)
    if not latest:
        return
    wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=list(latest.values()))
    for record in instance.fetch_materializations(wanted, limit=len(latest)).records:
        made = record.asset_materialization
        if made and made.partition:
            yield made, record
