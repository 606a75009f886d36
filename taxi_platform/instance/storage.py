"""The storage that ``dagster.yaml`` names: Dagster's own on PostgreSQL, in the database that the settings mean.

Imported by every process that has an instance. What the database is and how it is made stands in ``database``, what the
signs of life are for in ``signs_of_life``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from dagster import DagsterEventType, EventLogEntry
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from taxi_platform.instance.database import state_url
from taxi_platform.instance.signs_of_life import Pulse, SignsOfLife
from taxi_platform.settings import settings

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_ENDS = {DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED}


def _aside(line: str) -> None:
    """Tell what the start of a server takes, without getting between a command's output and its reader."""
    click.echo(line, err=True)


class StateEventLog(PostgresEventLogStorage):
    """Events in PostgreSQL. The process that stores a run's start executes the run, and gives signs of life from then.

    There is no other place that every run comes through: those of the code server, of a command, and of the demo.

    While it executes a run it also keeps its connections, one or two. Dagster opens as many for every event, which
    takes longer than a month of few rows; other processes keep none, so that they do not add up.
    """

    def __init__(self, postgres_url: str, signs: SignsOfLife) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._signs = signs
        self._pulses: dict[str, Pulse] = {}
        self._opening_each_time: Engine | None = None  # Dagster's own, while connections are kept

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event, and begin or end the run's signs of life when that is what it says."""
        kind = event.dagster_event_type if event.dagster_event else None
        if kind in _ENDS and event.run_id in self._pulses:
            self._pulses.pop(event.run_id).end()  # first, for it stops a process whose run has ended elsewhere
        super().store_event(event)
        if kind == DagsterEventType.RUN_START:
            self._pulses[event.run_id] = Pulse(self._signs, event.run_id)
            self._pulses[event.run_id].begin()
            self._keep_connections()
        elif kind in _ENDS:
            self._signs.forget(event.run_id)
            self._let_connections_go()

    def _keep_connections(self) -> None:
        from dagster_postgres.utils import create_pg_engine

        if self._opening_each_time is None:
            # Asked before each use whether it still works, for the server may have been started again meanwhile.
            options = {"isolation_level": "AUTOCOMMIT", "pool_size": 2, "max_overflow": -1, "pool_pre_ping": True}
            kept = create_pg_engine(self.postgres_url, None, **options)
            self._opening_each_time, self._engine = self._engine, kept

    def _let_connections_go(self) -> None:
        if not self._pulses and self._opening_each_time is not None:
            self._engine.dispose()
            self._engine, self._opening_each_time = self._opening_each_time, None


class StateStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the database of ``TAXI_DAGSTER_POSTGRES_URL``, else in the embedded server.

    Everything is in one PostgreSQL, so that concurrent runs never meet SQLite's "database is locked".
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False, inst_data=inst_data)
        self._event_log_storage = StateEventLog(postgres_url, SignsOfLife(self._run_storage))

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Nothing: the settings say where."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "StateStorage":
        """The storage of this process's settings.

        Raises:
            StateUnavailable: the database cannot be reached or made.
        """
        return cls(state_url(settings(), _aside), inst_data)
