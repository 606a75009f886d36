"""How a run stores its events: over kept connections that may break; and what is repaired after a run was killed."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from sqlalchemy import create_engine, text

from taxi_platform.dagster_private import WorkerStatus
from taxi_platform.ledger import heartbeats
from taxi_platform.orchestration import launcher
from taxi_platform_tests.support.shell import instance

MONTHS = dg.TimeWindowPartitionsDefinition(start="2019-01", end="2021-08", fmt="%Y-%m", cron_schedule="0 0 1 * *")
SPAN = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2021-07"}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def sessions(database: str) -> int:
    """Return how many connections to the database were made and closed so far."""
    with psycopg.connect(database) as connection:
        query = "select sessions from pg_stat_database where datname = current_database()"
        return connection.execute(query).fetchall()[0][0]


def open_now(database: str) -> int:
    with psycopg.connect(database) as connection:
        query = (
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        return connection.execute(query).fetchall()[0][0]


def test_the_events_of_a_run_do_not_take_a_connection_each(database: str) -> None:
    @dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run())
    def nothing(context: dg.AssetExecutionContext) -> None:
        context.log.info("begun")
        counts.append(sessions(database))

    counts: list[int] = []
    with instance(database, keep=False) as opened:
        assert dg.materialize([nothing], instance=opened, tags=SPAN, run_config=QUIET).success
        assert len(opened.get_materialized_partitions(dg.AssetKey("nothing"))) == 31
        assert sessions(database) - counts[0] < 31
        assert open_now(database) == 0


def test_a_run_whose_connection_breaks_still_stores_its_events(database: str) -> None:
    @dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run())
    def interrupted(context: dg.AssetExecutionContext) -> None:
        for number in range(3):
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            context.log.info(f"broken {number}")

    with instance(database, keep=False) as opened:
        result = dg.materialize([interrupted], instance=opened, tags=SPAN, run_config=QUIET)
        assert result.success
        assert len(opened.get_materialized_partitions(dg.AssetKey("interrupted"))) == 31
        messages = [entry.message for entry in opened.all_logs(result.run_id)]
        assert [f"broken {number}" for number in range(3)] == [line for line in messages if line.startswith("broken")]


def test_an_asset_can_use_sqlite_while_its_run_keeps_connections(database: str, tmp_path: Path) -> None:
    @dg.asset
    def own_database() -> None:
        with create_engine(f"sqlite:///{tmp_path}/own.db").connect() as connection:
            assert connection.execute(text("select 1")).scalar() == 1

    with instance(database, keep=False) as opened:
        assert dg.materialize([own_database], instance=opened, run_config=QUIET).success


# The end of a run is stored in two transactions: the event; the status and, for a failure, whether the run is retried.


class Killed(BaseException):
    """An exception that stands for ``kill -9``: the process runs no other code afterwards."""


@pytest.fixture
def state(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Yield an instance whose health check misses a heartbeat at once."""
    monkeypatch.setattr(heartbeats, "TIMEOUT_SECONDS", 0.0)
    monkeypatch.setattr(launcher, "READY_SECONDS", 0.0)
    with instance(database, keep=False) as opened:
        yield opened


def started(state: dg.DagsterInstance) -> dg.DagsterRun:
    return state.create_run_for_job(dg.job(name="job")(lambda: None), status=dg.DagsterRunStatus.STARTED)


def now(state: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    known = state.get_run_by_id(run.run_id)
    assert known
    return known


def fail(state: dg.DagsterInstance, run: dg.DagsterRun, reason: RunFailureReason | None) -> None:
    state.report_run_failed(run, "it failed", JobFailureData(error=None, failure_reason=reason))


def ends(state: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    return len(state.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE))


OBSERVED = """
create table observed (will_retry text);
create function observe() returns trigger language plpgsql as $$ begin
    insert into observed select value from run_tags where run_id = new.run_id and key = 'dagster/will_retry';
    return new;
end $$;
create trigger observe after update on runs for each row
    when (new.status = 'FAILURE' and old.status <> 'FAILURE') execute function observe();
"""
RETRIED = pytest.mark.parametrize(("reason", "again"), [(None, "true"), (RunFailureReason.STEP_FAILURE, "false")])


@RETRIED
def test_when_a_run_counts_as_failed_it_is_already_known_whether_it_is_retried(
    reason: RunFailureReason | None, again: str, state: dg.DagsterInstance, database: str
) -> None:
    run = started(state)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(OBSERVED)
        fail(state, run, reason)
        assert connection.execute("select will_retry from observed").fetchall() == [(again,)]
    assert now(state, run).tags["dagster/will_retry"] == again


@pytest.mark.parametrize("storing", ["add_run_tags", "handle_run_event"])
@RETRIED
def test_a_run_that_is_killed_between_the_event_of_its_failure_and_its_status_fails_for_the_same_reason(
    reason: RunFailureReason | None,
    again: str,
    storing: str,
    state: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = started(state)

    def killed(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(PostgresRunStorage, storing, killed)
        with pytest.raises(Killed):
            fail(state, run, reason)
    assert now(state, run).status == dg.DagsterRunStatus.STARTED
    assert "dagster/will_retry" not in now(state, run).tags

    health = state.run_launcher.check_run_worker_health(run)
    assert health.status == WorkerStatus.SUCCESS
    assert now(state, run).status == dg.DagsterRunStatus.FAILURE
    assert now(state, run).tags["dagster/will_retry"] == again
    assert ends(state, run) == 2  # the daemon saw the first one while the status was still STARTED


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterRunStatus.SUCCESS),
        (dg.DagsterEventType.RUN_CANCELED, dg.DagsterRunStatus.CANCELED),
    ],
)
def test_a_run_that_is_killed_between_the_event_of_another_end_and_its_status_gets_that_status(
    kind: dg.DagsterEventType,
    status: dg.DagsterRunStatus,
    state: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = started(state)
    end = dg.DagsterEvent(event_type_value=kind.value, job_name="job", message="the end")

    def killed(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(PostgresRunStorage, "handle_run_event", killed)
        with pytest.raises(Killed):
            state.report_dagster_event(end, run.run_id)
    state.run_launcher.check_run_worker_health(run)
    assert now(state, run).status == status
    assert state.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))[0].end_time


def test_a_run_whose_failure_cannot_be_stored_is_found_by_the_next_health_check(
    state: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(state)

    def store_event(storage: PostgresEventLogStorage, event: dg.EventLogEntry) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PostgresEventLogStorage, "store_event", store_event)
        with pytest.raises(OSError, match="no space"):
            state.report_run_failed(run)
    assert now(state, run).status == dg.DagsterRunStatus.STARTED
    health = state.run_launcher.check_run_worker_health(run)
    assert health.status == WorkerStatus.NOT_FOUND
    assert health.msg == "its process has written no heartbeat for 0 s"


def test_a_run_has_a_heartbeat_while_it_is_executed_and_none_afterwards(database: str) -> None:
    @dg.op
    def beats(context: dg.OpExecutionContext) -> None:
        seen.append(heartbeats.last_heartbeat(context.instance, context.run_id))

    @dg.job
    def beating_job() -> None:
        beats()

    seen: list[str | None] = []
    with instance(database, keep=False) as opened:
        run_id = beating_job.execute_in_process(instance=opened).run_id
        assert heartbeats.process_named_in(seen[0]) == f"process {os.getpid()} on {socket.gethostname()}"
        assert heartbeats.last_heartbeat(opened, run_id) is None
