"""Every import of a part of Dagster that is not public: nothing else in the package imports a private Dagster module.

Such a part may change in any release. So each entry says what it is for, what breaks when it changes, and which issue
of dagster-io/dagster, if there is one, would make it unnecessary. ``taxi_platform_tests/test_dagster_private.py`` runs
all of them. ``orchestration/storage.py`` and ``orchestration/launcher.py`` extend classes of Dagster's and use some of
their private attributes, too.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from itertools import dropwhile
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from uuid import uuid4

import dagster as dg

# The materialization that a check result is about. Without it, results of a range do not refer to one (#17005).
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as CheckTarget,
)

# The code server does not answer. Without it, the launcher cannot wait for a code server that starts again.
from dagster._core.errors import DagsterUserCodeUnreachableError as CodeServerUnreachable

# A partition of a check. Without it, a warning about a month is reported again by every run that checks it (#17005).
from dagster._core.event_api import PartitionKeyFilter

# Dagster's own backfills, which only its web server can request otherwise. Without it, ``taxi backfill`` cannot use the
# daemon, and does not know which months already wait for it (#26731).
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

# Whether Dagster will retry a failed run. Without it, a backfill may end before a crashed run is retried (#34204).
from dagster._core.execution.retries import auto_reexecution_should_retry_run as will_retry

# What a run launcher answers to run monitoring. Without it, crashed runs are not detected (#17403).
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

__all__ = ["CheckRunHealthResult", "CheckTarget", "CodeServerUnreachable", "WorkerStatus"]


def load_definitions(package: ModuleType, project: Path) -> dg.Definitions:
    """Load the definitions of a package, also one without ``pyproject.toml`` above it.

    If this breaks: ``dg.load_from_defs_folder``, which takes a second longer and needs that file.
    """
    tree = dg.ComponentTree(defs_module=package, project_root=project, code_location_name="taxi_platform")
    return tree.build_defs_at_path(Path(package.__path__[0]))


def add_output_metadata(context: dg.OutputContext, metadata: Mapping[str, Any], partition: str) -> None:
    """Add metadata to one partition of an output. If this breaks, the months of a range share their metadata."""
    context.step_context.add_asset_metadata(metadata, context.asset_key, partition)


def undecided_partitions(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, tuple[str, datetime]]:
    """Return the partitions of requested backfills that no run has dealt with, each with the backfill's id and time.

    If this breaks, months that wait for the daemon look as if no backfill had been requested.
    """
    waiting: dict[str, tuple[str, datetime]] = {}
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])):
        entry = backfill.backfill_id, datetime.fromtimestamp(backfill.backfill_timestamp, timezone.utc)
        waiting |= dict.fromkeys(_undecided(backfill, asset), entry)
    return waiting


def _undecided(backfill: PartitionBackfill, asset: dg.AssetKey) -> set[str]:
    data = backfill.asset_backfill_data
    if data is not None:
        subsets = (data.target_subset, data.materialized_subset, data.failed_and_downstream_subset)
        found = (subset.partitions_subsets_by_asset_key.get(asset) for subset in subsets)
        target, *decided = (set(subset.get_partition_keys()) if subset is not None else set[str]() for subset in found)
        return target.difference(*decided)
    # A backfill of the asset's job: the partitions after the last one that has a run.
    names = list(backfill.partition_names or []) if backfill.job_name == f"{asset.path[-1]}_job" else []
    last = backfill.last_submitted_partition_name
    return set(names[names.index(last) + 1 :] if last in names else names)


def request_backfill(
    instance: dg.DagsterInstance,
    graph: Any,
    asset: dg.AssetKey,
    partitions: Sequence[str],
    *,
    title: str,
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
) -> str:
    """Request a backfill of an asset's partitions and return its id. If this breaks: use the UI (#26731)."""
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=uuid4().hex[:8],
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


def latest_storage_ids(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Mapping[str, int]:
    """Return, by partition, the id of the latest materialization. If this breaks: read every event of the asset."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    return instance.event_log_storage.get_latest_storage_id_by_partition(asset, kind)


def unmaterialized_attempts(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, str]:
    """Return, by partition, the latest run that planned to materialize it and has not. If this breaks: no failures."""
    storage = instance.event_log_storage
    planned = storage.get_latest_asset_partition_materialization_attempts_without_materializations(asset)
    return {partition: run_id for partition, (run_id, _) in planned.items()}


def failed_partitions(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey]) -> list[tuple[str, str]]:
    """Return the partitions whose latest materialization did not pass a check, and which. If this breaks: none."""
    return [
        (info.partition_key, info.check_key.name)
        for info in instance.event_log_storage.get_asset_check_partition_info(checks)
        if info.partition_key and info.is_current and info.latest_execution_status.value == "FAILED"
    ]


def runs_of_latest_check_results(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs that gave the latest result of every check. If this breaks, retention would remove them."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from sqlalchemy import select

    storage: Any = instance.event_log_storage
    columns = AssetCheckExecutionsTable.c
    with storage.index_connection() as connection:
        executed = connection.execute(select(columns.asset_key, columns.check_name).distinct()).fetchall()
    assets = [(dg.AssetKey.from_db_string(asset), check) for asset, check in executed]
    checks = [dg.AssetCheckKey(asset, check) for asset, check in assets if asset]
    return {record.run_id for record in storage.get_latest_asset_check_execution_by_key(checks).values()}


def earlier_check_result(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, partition: str | None, run_id: str
) -> dg.AssetCheckEvaluation | None:
    """Return what a check found before a run evaluated it. If this breaks: every evaluation that warns is an alert."""
    history = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=20, partition_filter=PartitionKeyFilter(key=partition)
    )
    before = [record.event for record in dropwhile(lambda record: record.run_id != run_id, history)][1:]
    events = (entry.dagster_event for entry in before if entry and entry.dagster_event)
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    return next((event.asset_check_evaluation_data for event in events if event.event_type == kind), None)


def delete_events(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete the events of a run. If this breaks, they stay in the database when the run is deleted (#33785)."""
    instance.event_log_storage.delete_events(run_id)


def backfill_goes_on(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a run's backfill is in progress; True if it has none. If this breaks: assume that it is."""
    backfill_id = run.tags.get("dagster/backfill")
    backfill = instance.get_backfill(backfill_id) if backfill_id else None
    return backfill.status == BulkActionStatus.REQUESTED if backfill else backfill_id is None


def announce_retry(instance: dg.DagsterInstance, run_id: str, failure: dg.DagsterEvent) -> None:
    """Tag a run that is about to count as failed with whether Dagster will retry it.

    Dagster adds this tag after the status. A backfill that it evaluates in between ends as failed, and then it does not
    retry the run, either. If this breaks, that happens again (#34204).
    """
    run = instance.get_run_by_id(run_id)
    if run and instance.run_retries_enabled:
        reason = getattr(failure.event_specific_data, "failure_reason", None)
        retried = will_retry(instance, run.with_status(dg.DagsterRunStatus.FAILURE), reason)
        instance.add_run_tags(run_id, {"dagster/will_retry": str(retried).lower()})


def read_failures_again(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """Move the daemon's cursor back, so that it decides again about retrying these runs.

    If this breaks, a retry that is lost while the database fails never comes; see ``operations/lost_retries``.
    """
    kind = dg.DagsterEventType.RUN_FAILURE
    key = f"EVENT_LOG_CONSUMER_CURSOR-{kind.value}"
    logs = (instance.get_records_for_run(run_id, of_type=kind).records for run_id in run_ids)
    last = [log[-1].storage_id for log in logs if log]
    cursor = instance.daemon_cursor_storage.get_cursor_values({key}).get(key)
    if last and cursor and int(cursor) >= min(last):
        instance.daemon_cursor_storage.set_cursor_values({key: str(min(last) - 1)})


def state_database_url(instance: dg.DagsterInstance) -> str | None:
    """Return SQLAlchemy's URL of the state in PostgreSQL, or None. If this breaks: no lock for concurrency limits."""
    return getattr(instance.event_log_storage, "postgres_url", None)


def forget_cursor_value(run_storage: Any, key: str) -> None:
    """Delete one of the cursors and values that a run storage keeps. If this breaks, heartbeats of ended runs stay."""
    from dagster._core.storage.runs.schema import KeyValueStoreTable

    with run_storage.connect() as connection:
        connection.execute(KeyValueStoreTable.delete().where(KeyValueStoreTable.c.key == key))


def add_web_middleware(middleware: type, **options: Any) -> None:
    """Put an ASGI middleware before this process's web server. If this breaks: other sites can use the UI (#2219)."""
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.middleware import Middleware

    web_server = cast("Any", DagsterWebserver)
    others = web_server.build_middleware
    web_server.build_middleware = lambda server: [Middleware(middleware, **options), *others(server)]  # pyright: ignore


def code_server_answers(launcher: dg.DefaultRunLauncher, run_id: str) -> bool:
    """Return whether the code server that started a run answers, or will never answer again.

    If this breaks: a run may be declared failed while its code server restarts, and is then not retried.
    """
    client = cast("Any", launcher)._get_grpc_client_for_termination(run_id)
    if client is None or (client.socket and not Path(client.socket).exists()):
        return True
    try:
        client.ping("")
    except CodeServerUnreachable:
        return False
    return True
