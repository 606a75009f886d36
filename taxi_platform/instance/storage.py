"""The storage that ``dagster.yaml`` names: Dagster's own on PostgreSQL, in the database that the settings mean.

Imported by every process that has an instance; what the database is and how it is made stands in ``database``.
"""

from collections.abc import Mapping
from typing import Any

import click
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from taxi_platform.instance.database import state_url
from taxi_platform.settings import settings


def _aside(line: str) -> None:
    """Tell what the start of a server takes, without getting between a command's output and its reader."""
    click.echo(line, err=True)


class StateStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the database of ``TAXI_DAGSTER_POSTGRES_URL``, else in the embedded server.

    Everything is in one PostgreSQL, so that concurrent runs never meet SQLite's "database is locked".
    """

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
        return cls(postgres_url=state_url(settings(), _aside), should_autocreate_tables=False, inst_data=inst_data)
