"""The run launcher that ``dagster.yaml`` names: Dagster's default one, with a health check by heartbeat.

The code server notices when a process that it started dies, unless it died too or lost the database. Then Dagster's run
monitoring finds it by this health check, and declares the run failed, so that it is retried.
"""

from typing import Any, cast

import dagster as dg

from taxi_platform.dagster_private import CheckRunHealthResult, WorkerStatus, code_server_answers
from taxi_platform.ledger import heartbeats
from taxi_platform.ledger.heartbeats import UnchangedTimer, last_heartbeat, process_named_in

READY_SECONDS = 20.0  # the daemon needs that long to recognize a code server that has come back
OUTAGE_SECONDS = 600.0  # then a code server is not coming back, and its runs must not block the pools any longer


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Starts runs in the code server, and checks by their heartbeats whether their processes are alive."""

    def __init__(self, inst_data: Any = None) -> None:
        super().__init__(inst_data)
        self._heartbeats = UnchangedTimer()
        self._servers = UnchangedTimer()

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True, so that run monitoring checks runs."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether the process of a started run is alive.

        Dagster tries to retry a run only once, when it is declared failed, and needs its code server for it. So a run
        is not declared failed before the server answers again. A run of a command has no server.
        """
        heartbeat = last_heartbeat(self._instance, run.run_id)
        missing_for = self._heartbeats.unchanged(run.run_id, heartbeat)
        answers = code_server_answers(self, run.run_id)
        known = self._servers.unchanged(run.run_id, answers)
        ready = known if answers else 0.0
        if missing_for < heartbeats.TIMEOUT_SECONDS or (ready < READY_SECONDS and missing_for < OUTAGE_SECONDS):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        self._heartbeats.forget(run.run_id)
        self._servers.forget(run.run_id)
        if _complete_end(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.SUCCESS)
        reason = f"{process_named_in(heartbeat)} has written no heartbeat for {missing_for:.0f} s"
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, reason)


def _complete_end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Give a run the status that its last event implies, and return whether there was such an event.

    Dagster stores the event of a run's end first and its status afterwards. A process that is killed in between leaves
    a run that has ended and counts as started. A failure is reported again, because Dagster decides about a retry when
    it sees the event, and has seen the first one too early.
    """
    events = [entry for entry in instance.all_logs(run.run_id, of_type=heartbeats.RUN_ENDS) if entry.dagster_event]
    if not events:
        return False
    end = cast("dg.DagsterEvent", events[-1].dagster_event)
    if end.event_type == dg.DagsterEventType.RUN_FAILURE:
        data = end.job_failure_data if end.event_specific_data else None
        instance.report_run_failed(run, end.message, data)
    else:
        instance.report_dagster_event(end, run.run_id)
    return True
