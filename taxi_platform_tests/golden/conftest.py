"""Fixtures that restore the data of version 0.1: once for all answers, or for one test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from taxi_platform_tests.golden.archive import CLOSED_PORT, Restored, unpack
from taxi_platform_tests.golden.location import Location, location
from taxi_platform_tests.support.databases import database_from

Restore = Callable[..., tuple[Location, Restored]]


@contextmanager
def _restored(folder: Path, server: str, port: int, **values: str) -> Iterator[tuple[Location, Restored]]:
    with database_from(server, "template0") as trips, database_from(server, "template0") as state:
        restored = unpack(folder, trips, state, port=port)
        settings = {"TAXI_SOURCE": str(restored.source), **values}
        with location(restored.data / "dagster", restored.data, trips, state, **settings) as on:
            yield on, restored


@pytest.fixture(scope="module")
def frozen(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Location, Restored]]:
    """Yield the code location and the restored data, shared by all tests of a module."""
    with _restored(tmp_path_factory.mktemp("golden"), postgres_url, CLOSED_PORT) as restored:
        yield restored


@pytest.fixture
def restore(postgres_url: str, tmp_path: Path) -> Iterator[Restore]:
    """Yield a function that restores the data for one test: ``restore(port, **settings)``."""
    with ExitStack() as stack:

        def restore(port: int = CLOSED_PORT, **values: str) -> tuple[Location, Restored]:
            return stack.enter_context(_restored(tmp_path, postgres_url, port, **values))

        yield restore
