"""Caches that all tests of one process share; without them the tests would take twice as long.

They hold definitions, compiled SQL, and the connections of in-memory Dagster instances.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster import Definitions
from dagster._core.storage.event_log import in_memory as events_in_memory
from dagster._core.storage.runs import in_memory as runs_in_memory
from dagster.components.core.defs_module import PythonFileComponent
from dagster_postgres.event_log import event_log
from dagster_postgres.run_storage import run_storage
from dagster_postgres.schedule_storage import schedule_storage
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine

from taxi_platform.trips.services import SERVICES
from taxi_platform_tests.support.shell import UNSET

# Only the resources depend on these settings; their file, resources.py, is never cached.
_OF_RESOURCES = {"TAXI_SOURCE", "TAXI_POSTGRES_URL", "TAXI_DAGSTER_POSTGRES_URL", "TAXI_DATA_DIR"}
_SETTINGS = sorted(set(UNSET) - _OF_RESOURCES)
_RESOURCES = "resources.py"
_build = PythonFileComponent.build_defs
_built: dict[object, Definitions] = {}
_engines: dict[str, Engine] = {}


def share() -> None:
    """Cache definitions per combination of settings, compiled SQL per dialect, and connections per instance."""
    PythonFileComponent.build_defs = _build_once
    for module in (events_in_memory, runs_in_memory, event_log, run_storage, schedule_storage):
        module.create_engine = _engine  # pyright: ignore[reportPrivateImportUsage]
    events_in_memory.InMemoryEventLogStorage._connect = _kept_connection


def _build_once(self: PythonFileComponent, context: Any) -> Definitions:
    if self.path.name == _RESOURCES:
        return _build(self, context)
    key = self.path, tuple(SERVICES.values()), *(os.environ.get(name) for name in _SETTINGS)
    if key not in _built:
        _built[key] = _build(self, context)
    return _built[key]


def _engine(url: str, **options: Any) -> Engine:
    if url.startswith("sqlite:"):
        options["connect_args"] = {"check_same_thread": False}
    engine = create_engine(url, **options)
    first = _engines.setdefault(engine.dialect.name, engine)
    engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache  # pyright: ignore
    return engine


@contextmanager
def _kept_connection(self: Any) -> Iterator[Connection]:
    with self._db_lock, self._held_conn.begin():
        yield self._held_conn
