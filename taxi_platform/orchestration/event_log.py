"""Dagster's event log in PostgreSQL, with what its own lacks: signs of life, and ends that nobody sees half-done.

Which database that is stands in ``database``, what the signs of life are for in ``signs_of_life``.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus, EventLogEntry
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster._time import datetime_from_timestamp
from dagster_postgres import PostgresEventLogStorage

from taxi_platform.ledger.heartbeats import Pulse, SignsOfLife
from taxi_platform.orchestration.runs import StateRuns

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_ENDS = {DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED}


class StateEventLog(PostgresEventLogStorage):
    """Events in PostgreSQL. The process that stores a run's start executes the run, and gives signs of life from then.

    There is no other place that every run comes through: those of the code server, of a command, and of the demo.

    While it executes a run it also keeps its connections, one or two. Dagster opens as many for every event, which
    takes longer than a month of few rows; other processes keep none, so that they do not add up.

    Args:
        postgres_url: the database of the state.
        runs: the runs in it.
    """

    def __init__(self, postgres_url: str, runs: StateRuns) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._runs = runs
        self._signs = SignsOfLife(runs)
        self._pulses: dict[str, Pulse] = {}
        self._opening_each_time: Engine | None = None  # Dagster's own, while connections are kept

    @property
    def handles_run_events_in_store_event(self) -> bool:
        """What an event means for its run is recorded here, not by the caller."""
        return True

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event with what it means for its run, and begin or end the run's signs of life.

        The two are one transaction. Dagster's are two, one after the other: what dies in between, or finds the disk
        full, leaves a run that has failed and does not say so, which nobody retries, or one that never ends.

        Whether a run that fails is to be retried is said before. Dagster's says it afterwards: whoever looks in between
        believes that it is not, and a backfill is over.
        """
        dagster_event = event.dagster_event
        kind = event.dagster_event_type if dagster_event else None
        if kind in _ENDS and event.run_id in self._pulses:
            self._pulses.pop(event.run_id).end()  # first, for it stops a process whose run has ended elsewhere
        if dagster_event and kind == DagsterEventType.RUN_FAILURE:
            self._say_whether_retried(event.run_id, dagster_event)
        if dagster_event and dagster_event.is_job_event:
            with self._runs.transaction(self._engine):
                self._runs.handle_run_event(event.run_id, dagster_event, datetime_from_timestamp(event.timestamp))
                # Last: events are read in the order of their numbers, so no later one is to be seen before this one.
                super().store_event(event)
        else:
            super().store_event(event)
        if kind == DagsterEventType.RUN_START:
            self._pulses[event.run_id] = Pulse(self._signs, event.run_id)
            self._pulses[event.run_id].begin()
            self._keep_connections()
        elif kind in _ENDS:
            self._signs.forget(event.run_id)
            self._let_connections_go()

    def _connect(self) -> "AbstractContextManager[Connection]":
        return nullcontext(self._runs.current.connection) if self._runs.current.connection else super()._connect()

    def _say_whether_retried(self, run_id: str, failure: DagsterEvent) -> None:
        instance = self._instance
        run = instance.get_run_by_id(run_id)
        if run is None or not instance.run_retries_enabled:
            return
        reason = failure.job_failure_data.failure_reason if failure.event_specific_data else None
        known = None if reason == RunFailureReason.UNKNOWN else reason
        again = auto_reexecution_should_retry_run(instance, run.with_status(DagsterRunStatus.FAILURE), known)
        instance.add_run_tags(run_id, {WILL_RETRY_TAG: str(again).lower()})

    def _keep_connections(self) -> None:
        from dagster_postgres.utils import create_pg_engine

        if self._opening_each_time is None:
            # Each is asked before it is used whether it still works (see ``storage``).
            options = {"isolation_level": "AUTOCOMMIT", "pool_size": 2, "max_overflow": -1}
            kept = create_pg_engine(self.postgres_url, None, **options)
            self._opening_each_time, self._engine = self._engine, kept

    def _let_connections_go(self) -> None:
        if not self._pulses and self._opening_each_time is not None:
            self._engine.dispose()
            self._engine, self._opening_each_time = self._opening_each_time, None
