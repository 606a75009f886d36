"""What Dagster's instance has recorded of the months, read in few queries. What follows from it is ``states``'s."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

import dagster as dg

from taxi_platform import dagster_private
from taxi_platform.ledger.heartbeats import abandoned_runs
from taxi_platform.ledger.materializations import latest_materializations
from taxi_platform.ledger.states import Attempt, Materialized, Outcome
from taxi_platform.trips.keys import BLOCKING_CHECKS, raw_key
from taxi_platform.trips.services import Service

_FINISHED: Mapping[dg.DagsterRunStatus, Outcome] = {
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
    dg.DagsterRunStatus.SUCCESS: "cancelled",  # it ended well and left the month out, so nobody goes on with it
}


@dataclass(frozen=True)
class Records:
    """What is recorded of one service, by partition key.

    Attributes:
        table: the last materialization of each month of the table.
        raw: the last materialization of each month's raw file.
        attempts: the runs that were to materialize a month of the table and have not, or not yet.
        broken: the checks that block and that the month, as it was materialized last, did not pass.
    """

    table: Mapping[str, Materialized]
    raw: Mapping[str, Materialized]
    attempts: Mapping[str, Attempt]
    broken: Mapping[str, Sequence[str]]


def read_records(instance: dg.DagsterInstance, services: Sequence[Service]) -> dict[str, Records]:
    """What is recorded of these services, by their names."""
    tables = [dg.AssetKey(service.table) for service in services]
    files = [dg.AssetKey(raw_key(service.table)) for service in services]
    # Each query waits for the database, and opens a connection of its own.
    with ThreadPoolExecutor(max_workers=8) as pool:
        attempts = pool.submit(read_attempts, instance, services)
        broken = list(pool.map(partial(read_broken, instance), services))
        made = list(pool.map(partial(_materialized, instance), [*tables, *files]))
    return {
        service.name: Records(
            made[number], made[len(services) + number], attempts.result()[service.name], broken[number]
        )
        for number, service in enumerate(services)
    }


def read_broken(instance: dg.DagsterInstance, service: Service) -> dict[str, list[str]]:
    """By partition, the checks that block and that the table's last materialization did not pass."""
    keys = [dg.AssetCheckKey(dg.AssetKey(service.table), check) for check in BLOCKING_CHECKS]
    found: dict[str, list[str]] = defaultdict(list)
    for result in dagster_private.checked_partitions(instance, keys):
        if result.failed and result.is_current and result.partition:
            found[result.partition].append(result.check)
    return found


def read_attempts(instance: dg.DagsterInstance, services: Sequence[Service]) -> dict[str, dict[str, Attempt]]:
    """By service and partition, the runs that were to materialize a month of the table, and have not since.

    Runs that were deleted say nothing any more, and are left out.
    """
    attempts = attempts_on(instance, [dg.AssetKey(service.table) for service in services])
    return {service.name: attempts[dg.AssetKey(service.table)] for service in services}


def attempts_on(instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> dict[dg.AssetKey, dict[str, Attempt]]:
    """The same of any assets, by asset and partition."""
    planned = {key: dagster_private.unmaterialized_attempts(instance, key) for key in keys}
    outcomes = outcomes_of(instance, {run_id for months in planned.values() for run_id in months.values()})
    return {
        key: {partition: outcomes[run_id] for partition, run_id in months.items() if run_id in outcomes}
        for key, months in planned.items()
    }


def _materialized(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Materialized]:
    return {
        str(made.partition): _as_materialized(
            record.storage_id,
            record.run_id,
            record.timestamp,
            {name: value.value for name, value in made.metadata.items()},
        )
        for made, record in latest_materializations(instance, key)
    }


def _as_materialized(order: int, run_id: str, timestamp: float, facts: Mapping[str, Any]) -> Materialized:
    return Materialized(
        order=order,
        run_id=run_id,
        at=datetime.fromtimestamp(timestamp, timezone.utc),
        sha256=facts.get("sha256", ""),
        rows=facts.get("rows_loaded", facts.get("rows_in_file", 0)),
        file_bytes=facts.get("file_bytes", 0),
        etag=facts.get("etag"),
        modified=facts.get("modified"),
        landed=bool(facts.get("landed")),
    )


def outcomes_of(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> dict[str, Attempt]:
    """What became of runs, by their ids; of deleted ones nothing is known."""
    wanted = sorted(run_ids)
    if not wanted:
        return {}
    records = instance.get_run_records(dg.RunsFilter(run_ids=wanted))
    abandoned = abandoned_runs(instance, records)
    return {
        record.dagster_run.run_id: Attempt(
            run_id=record.dagster_run.run_id,
            outcome="failed"
            if record.dagster_run.run_id in abandoned
            else _FINISHED.get(record.dagster_run.status, "unfinished"),
            at=_moment(record.end_time or record.start_time) or record.create_timestamp,
        )
        for record in records
    }


def _moment(timestamp: float | None) -> datetime | None:
    return datetime.fromtimestamp(timestamp, timezone.utc) if timestamp else None
