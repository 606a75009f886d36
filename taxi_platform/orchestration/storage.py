"""The storage that ``dagster.yaml`` names: Dagster's own on PostgreSQL, in the database that the settings mean.

Imported by every process that has an instance. What the database is and how it is made stands in ``database``.
"""

from collections.abc import Mapping
from typing import Any

import click
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy.event import listens_for
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from taxi_platform.orchestration.database import state_url
from taxi_platform.orchestration.event_log import StateEventLog
from taxi_platform.orchestration.runs import StateRuns
from taxi_platform.settings import settings


def _aside(line: str) -> None:
    """Tell what the start of a server takes, without getting between a command's output and its reader."""
    click.echo(line, err=True)


@listens_for(QueuePool, "checkout")
def _is_alive(connection: Any, record: object, proxy: object) -> None:
    """Ask a kept connection whether it still leads anywhere; the pool then makes a new one.

    The web server keeps connections open. Without this, each page after a restart of PostgreSQL would show an error.
    """
    from psycopg2 import Error

    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except Error as error:
        raise DisconnectionError(str(error)) from error


class StateStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the database of ``TAXI_DAGSTER_POSTGRES_URL``, else in the embedded server.

    Everything is in one PostgreSQL, so that concurrent runs never meet SQLite's "database is locked".
    """

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False, inst_data=inst_data)
        self._run_storage = StateRuns(postgres_url)
        self._event_log_storage = StateEventLog(postgres_url, self._run_storage)

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
