"""The runs that failed, as the instance knows them: which are new, which can be told now, and who has heard of them.

Everything that alerts ask of Dagster's instance, or write there, stands here.
"""

import re
from collections.abc import Mapping, Sequence

import dagster as dg

from taxi_platform.operations.alerts.failed_run import FailedRun, StepReason, failed_run
from taxi_platform.operations.alerts.mailbox import KEEP, OVERLAP, Mailbox
from taxi_platform.operations.alerts.verdict import RETRY_RUN, Verdict, verdict_on

_READ = OVERLAP + 300  # failures read in one tick; more of them follow in the next
_MOST_WAITING = 500  # failed runs remembered at once; more of them are read when these are told
_TELLING = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.ENGINE_EVENT}
_NOTE = re.compile(r"run_failure_alert: told .* \[(\w+)\]")


class FailedRuns:
    """The failed runs of an instance, during one tick."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._logs: dict[str, Sequence[dg.EventLogEntry]] = {}

    def new_mailbox(self, started: float | None) -> Mailbox:
        """A memory in which every failure is seen that was there before the sensor was started (as ``time.time``)."""
        latest = self._failures(OVERLAP, ascending=False)
        old = [record.storage_id for record in latest if started is None or record.timestamp < started]
        oldest = min((record.storage_id for record in latest), default=1)
        return Mailbox(after=max(old, default=oldest - 1), seen=old)

    def read(self, mailbox: Mailbox, now: float) -> None:
        """Take new failures into the mailbox. Those of long ago, when nobody was to be told, are passed over."""
        if len(mailbox.waiting) >= _MOST_WAITING:
            return
        for record in self._failures(_READ, ascending=True, after=max(0, mailbox.after - OVERLAP)):
            fresh = record.timestamp > now - KEEP
            mailbox.note(record.storage_id, record.event_log_entry.run_id, now, tell=fresh)

    def due(self, mailbox: Mailbox, now: float) -> Mapping[str, dg.DagsterRun]:
        """The runs that can be told now, by their ids, oldest first; those that never will be leave the mailbox."""
        runs = self._runs(list(mailbox.waiting))
        retries = self._runs([run.tags[RETRY_RUN] for run in runs.values() if RETRY_RUN in run.tags])
        due: dict[str, dg.DagsterRun] = {}
        for run_id, waiting in list(mailbox.waiting.items()):
            run = runs.get(run_id)
            retry = retries.get(run.tags.get(RETRY_RUN, "")) if run else None
            enabled = self._instance.run_retries_enabled
            verdict = verdict_on(run, retry, retries=enabled, waited=now - waiting.since)
            if verdict is Verdict.DROP:
                del mailbox.waiting[run_id]
            elif run and verdict is Verdict.TELL:
                due[run_id] = run
        return due

    def story(self, run: dg.DagsterRun) -> FailedRun:
        """What is to be told of a run. A log that cannot be understood is a story too."""
        try:
            return failed_run(run, self._log(run.run_id))
        except Exception as error:  # whatever other code has recorded, the run's failure has to be told
            reason = StepReason("", f"its log cannot be read ({type(error).__name__}: {error})")
            return FailedRun(run.run_id, run.job_name, "", 0, [reason])

    def heard(self, run_id: str) -> set[str]:
        """The marks of the addresses that have heard of a run, as its own log has it."""
        notes = (_NOTE.match(entry.message or _message(entry)) for entry in self._log(run_id))
        return {note[1] for note in notes if note}

    def note_told(self, run: dg.DagsterRun, name: str, mark: str) -> None:
        """Write into a run's log that an address has heard of it, for people and for ``heard``."""
        self._instance.report_engine_event(f"run_failure_alert: told {name} [{mark}]", run)

    def note_given_up(self, run: dg.DagsterRun, names: Sequence[str]) -> None:
        """Write into a run's log that some addresses never heard of it."""
        hours = KEEP / 3600
        text = f"run_failure_alert: gave up after {hours:.0f} hours; never told {', '.join(names)}"
        self._instance.report_engine_event(text, run)

    def _failures(self, limit: int, *, ascending: bool, after: int | None = None) -> Sequence[dg.EventLogRecord]:
        wanted = dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=after)
        return self._instance.fetch_run_status_changes(wanted, limit=limit, ascending=ascending).records

    def _runs(self, run_ids: Sequence[str]) -> Mapping[str, dg.DagsterRun]:
        if not run_ids:
            return {}
        return {run.run_id: run for run in self._instance.get_runs(dg.RunsFilter(run_ids=run_ids))}

    def _log(self, run_id: str) -> Sequence[dg.EventLogEntry]:
        if run_id not in self._logs:
            self._logs[run_id] = self._instance.all_logs(run_id, of_type=_TELLING)
        return self._logs[run_id]


def _message(entry: dg.EventLogEntry) -> str:
    return (entry.dagster_event and entry.dagster_event.message) or ""
