"""Lost retries: Dagster announced that it will retry a run and never did, because its database failed at that moment.

Dagster's daemon reads every failed run once and then starts its retry. If the database fails meanwhile, or the run has
no status yet, the daemon goes on to the next run, and a backfill of the web UI waits for the retry for ever. Reading a
run again is safe: Dagster does not start a second retry.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from taxi_platform.dagster_private import backfill_goes_on, read_failures_again

WAIT = timedelta(seconds=60)  # after the failure; an idle daemon starts the retry within five
GIVE_UP = timedelta(days=1)


def waits_for_retry(run: dg.DagsterRun) -> bool:
    """Return whether Dagster announced a retry of a failed run, can start it, and has not; it cannot for a command."""
    return run.is_complete_and_waiting_to_retry and run.remote_job_origin is not None


def lost_retries(instance: dg.DagsterInstance, now: datetime) -> Sequence[dg.DagsterRun]:
    """Return the failed runs of the last day whose announced retry has not been started within a minute."""
    announced = {"dagster/will_retry": "true"}
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags=announced, updated_after=now - GIVE_UP)
    return [
        record.dagster_run
        for record in instance.get_run_records(failed)
        if waits_for_retry(record.dagster_run)
        and (record.end_time or 0) < (now - WAIT).timestamp()
        and backfill_goes_on(instance, record.dagster_run)
    ]


def start_lost_retries(instance: dg.DagsterInstance, now: datetime) -> Sequence[str]:
    """Make Dagster's daemon read the runs again whose retries are lost, and return their ids."""
    lost = [run.run_id for run in lost_retries(instance, now)]
    read_failures_again(instance, lost)
    return lost
