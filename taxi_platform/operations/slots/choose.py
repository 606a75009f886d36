"""Which kind of slots fits an instance: all who share its state must share its slots."""

from pathlib import Path

import dagster as dg

from taxi_platform.dagster_private import state_database_url
from taxi_platform.errors import UnsupportedServer
from taxi_platform.operations.slots.claim import Claim


def claim_on(instance: dg.DagsterInstance, job: str, slots: int) -> Claim:
    """A claim to one of a job's slots among all runs of the instance.

    Where Dagster's state is in PostgreSQL, the slots are there too. State in SQLite or in memory belongs to one
    machine, and so do the slots.

    Raises:
        UnsupportedServer: the state is elsewhere, where other machines may share it.
    """
    from dagster._core.storage.event_log import (
        ConsolidatedSqliteEventLogStorage,
        InMemoryEventLogStorage,
        SqliteEventLogStorage,
    )

    storage = instance.event_log_storage
    url = state_database_url(instance)
    if url is not None:
        from taxi_platform.operations.slots.postgres import PostgresClaim

        return PostgresClaim(_for_libpq(url), job, slots)
    if isinstance(storage, ConsolidatedSqliteEventLogStorage | InMemoryEventLogStorage | SqliteEventLogStorage):
        from taxi_platform.operations.slots.files import FileClaim

        return FileClaim(Path(instance.storage_directory()) / "slots", job, slots)
    raise UnsupportedServer(
        type(storage).__name__, f"there is no place for the slots of {job}", "Keep Dagster's state in PostgreSQL."
    )


def _for_libpq(url: str) -> str:
    """SQLAlchemy's URL without the driver that it may name."""
    from sqlalchemy import make_url

    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
