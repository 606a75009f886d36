"""Which retries are lost, and how the daemon's cursor is moved back; stack/test_crashes shows the retry itself."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.auto_run_reexecution import event_log_consumer

from taxi_platform.dagster_private import request_backfill
from taxi_platform.operations.lost_retries import GIVE_UP, WAIT, lost_retries, start_lost_retries
from taxi_platform_tests.support.shell import instance as opened

CURSOR = event_log_consumer._create_cursor_key(dg.DagsterEventType.RUN_FAILURE)  # pyright: ignore[reportPrivateUsage]
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("taxi_platform"), "__repository__"), "job")
MONTHS = dg.StaticPartitionsDefinition(["2019-01"])
JOB = dg.job(name="job")(lambda: None)


@dg.asset(partitions_def=MONTHS)
def trips() -> None: ...


@pytest.fixture
def instance(state_database: str) -> Iterator[dg.DagsterInstance]:
    with opened(state_database) as state:
        yield state


def crash(instance: dg.DagsterInstance, origin: RemoteJobOrigin | None = ORIGIN, **tags: str) -> str:
    """Create a run that is recorded as failed because its process died, and return its id."""
    named = {f"dagster/{name}": value for name, value in tags.items()}
    run = instance.create_run_for_job(JOB, tags=named, remote_job_origin=origin)
    instance.report_run_failed(run, "its process has died")
    return run.run_id


def later(by: timedelta = WAIT + timedelta(seconds=1)) -> datetime:
    return datetime.now(timezone.utc) + by


def backfill_in(instance: dg.DagsterInstance, status: BulkActionStatus) -> str:
    graph = dg.Definitions([trips]).resolve_asset_graph()
    found = request_backfill(instance, graph, trips.key, ["2019-01"], title="one", tags={}, run_config={})
    backfill = instance.get_backfill(found)
    assert backfill
    instance.update_backfill(backfill.with_status(status).with_end_timestamp(time.time()))
    return found


def cursor_of(instance: dg.DagsterInstance) -> int:
    return int(instance.daemon_cursor_storage.get_cursor_values({CURSOR})[CURSOR])


def test_an_announced_retry_is_lost_if_it_has_not_been_started_within_a_minute(instance: dg.DagsterInstance) -> None:
    run_id = crash(instance)
    assert [run.run_id for run in lost_retries(instance, later())] == [run_id]
    assert lost_retries(instance, later(timedelta(seconds=1))) == []
    assert lost_retries(instance, later(GIVE_UP + timedelta(minutes=1))) == []


def test_what_dagster_cannot_or_must_not_retry_is_not_lost(instance: dg.DagsterInstance) -> None:
    crash(instance, origin=None)  # launched by a command
    crash(instance, max_retries="0")
    crash(instance, auto_retry_run_id="another")
    crash(instance, backfill="deleted")
    crash(instance, backfill=backfill_in(instance, BulkActionStatus.CANCELED))
    assert lost_retries(instance, later()) == []
    waiting = crash(instance, backfill=backfill_in(instance, BulkActionStatus.REQUESTED))
    assert [run.run_id for run in lost_retries(instance, later())] == [waiting]


def test_the_cursor_is_moved_back_to_the_first_lost_retry_and_never_forward(instance: dg.DagsterInstance) -> None:
    values = instance.daemon_cursor_storage
    assert start_lost_retries(instance, later()) == []  # a new state has no cursor
    first, second = crash(instance), crash(instance)
    assert set(start_lost_retries(instance, later())) == {first, second}
    assert values.get_cursor_values({CURSOR}) == {}
    (failure,) = instance.get_records_for_run(first, of_type=dg.DagsterEventType.RUN_FAILURE).records
    for cursor, expected in ((10**6, failure.storage_id - 1), (0, 0)):
        values.set_cursor_values({CURSOR: str(cursor)})
        start_lost_retries(instance, later())
        assert cursor_of(instance) == expected
