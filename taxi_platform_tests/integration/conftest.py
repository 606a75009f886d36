"""What several subjects' integration tests share: the platform with its own settings, and a server of trip files."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.settings import PROJECT, settings
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.shell import UNSET, environment
from taxi_platform_tests.support.trip_server import TripServer


@pytest.fixture
def server() -> Iterator[TripServer]:
    """A server that publishes nothing yet."""
    with TripServer() as server:
        yield server


@pytest.fixture(scope="session")
def unused_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an instance that nothing has been run on; making one takes longer than most tests."""
    home = tmp_path_factory.mktemp("instance") / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.get_runs()
    return home


@pytest.fixture
def platform(
    database: str, unused_instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """The platform with the sample as its source, an empty database and an instance of its own."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = shutil.copytree(unused_instance, tmp_path / "dagster")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        platform = Platform(instance, database, monkeypatch)
        mine = {"TAXI_SOURCE": "sample:0.001", "TAXI_DATA_DIR": str(tmp_path), "TAXI_POSTGRES_URL": database}
        platform.use(**UNSET | mine)
        yield platform
    settings.cache_clear()


@pytest.fixture
def backfills(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backfills]:
    """Trips and Dagster's state in the test's database, the sample as the source."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    for name, value in environment(tmp_path, TAXI_SOURCE="sample:0.001", TAXI_POSTGRES_URL=database).items():
        if name.startswith("TAXI_"):
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    with dg.DagsterInstance.get() as instance:
        yield Backfills(instance, database, monkeypatch)
    settings.cache_clear()
