"""Fixtures that several folders share: PostgreSQL, emulators of Google Cloud, the platform, a server of trip files.

Fixtures of one folder's tests belong in that folder.
"""

import fcntl
import gc
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import hypothesis
import psycopg
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from deploy.emulators.servers import Addresses, Emulators
from taxi_platform import retries
from taxi_platform.bigquery.clients import Cloud
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.settings import PROJECT, settings
from taxi_platform_tests.support import made_once, warm
from taxi_platform_tests.support.asset_runs import Platform, instance_in_memory
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.databases import Databases
from taxi_platform_tests.support.emulators import cloud_of_its_own, make_ready, start_or_skip
from taxi_platform_tests.support.haste import PYTHON
from taxi_platform_tests.support.log_lines import collected_log_lines
from taxi_platform_tests.support.shell import UNSET, environment, kept_connections
from taxi_platform_tests.support.shell import instance as dagster_state
from taxi_platform_tests.support.step_output import repeat_at_the_end
from taxi_platform_tests.support.trip_server import TripServer

# Set by the first process of the session and inherited by xdist's workers, which share the one server.
_SERVER = "TAXI_TEST_SERVER_FOLDER"
_TESTS = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    # Processes that a shell starts in the background ignore Ctrl-C, and so would everything that the tests start.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # A third of hypothesis's default; `make fuzz` is for long searches. No deadline, because machines may be busy.
    hypothesis.settings.register_profile("suite", max_examples=30, deadline=None)
    hypothesis.settings.load_profile("suite")
    repeat_at_the_end()
    made_once.share()
    if not hasattr(config, "workerinput"):
        os.environ[_SERVER] = tempfile.mkdtemp(prefix="taxi-tests-")
        os.environ[warm.SESSION] = str(os.getpid())
        os.environ["PYTHONPATH"] = str(PYTHON)  # for xdist's workers too


def pytest_unconfigure(config: pytest.Config) -> None:
    gc.freeze()  # pytest searches all objects for garbage afterwards, several times
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ.pop(_SERVER))
        EmbeddedServer(folder / "postgres").stop()
        Emulators(folder / "google").stop()
        shutil.rmtree(folder)


# Folders and files whose tests take longest. They begin first, so that no worker is left with a long one at the end.
_SLOW = ("stack", "cli", "models", "golden", "test_mutated_files.py", "bigquery", "gcp", "operations")
# Files whose tests share one running stack, and those that share one running deployment: the longest of all.
_SHARED = {
    "the stack": re.compile(r".*/stack/test_(backfills|faults|login|queue|services|web_guard)\.py"),
    "the deployment": re.compile(r".*/stack/test_(alerts_daemon|backfill_daemon|crashes|triggers_daemon)\.py"),
}


def _scope(file: str) -> str:
    return next((name for name, files in _SHARED.items() if files.fullmatch(file)), file)


class FilesOnOneWorker(LoadScopeScheduling):
    """Keeps the tests of a file on one worker, and those of the stack or the deployment on the one that starts it."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesOnOneWorker:
    config.option.loadscopereorder = False  # the order of pytest_collection_modifyitems
    return FilesOnOneWorker(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use PostgreSQL, and start the longest tests first."""
    for item in items:
        if {"database", "state_database", "deployment"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, int]:
    shared, scope, parts = list(_SHARED), _scope(item.path.as_posix()), item.path.relative_to(_TESTS).parts
    return (
        shared.index(scope) if scope in shared else len(shared),
        next((place for place, name in enumerate(_SLOW) if name in parts), len(_SLOW)),
    )


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """Return a superuser's URL: ``TAXI_TEST_POSTGRES_URL`` if it is set, else that of the session's embedded server."""
    external = os.environ.get("TAXI_TEST_POSTGRES_URL")
    if external:
        return external
    folder = Path(os.environ[_SERVER])
    server = EmbeddedServer(folder / "postgres")
    with (folder / "configuring").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker restarts the server before another one uses it
        url = server.start().partition("?")[0]  # without parameters, like any server's URL
        if not (folder / "configured").exists():
            with psycopg.connect(url, autocommit=True) as connection:
                # fsync protects from a crash of the machine, and tests kill only processes.
                connection.execute("alter system set fsync = off")
                # For all workers together, some of which start ten processes at once.
                connection.execute("alter system set max_connections = 200")
            server.stop()
            url = server.start().partition("?")[0]
            (folder / "configured").touch()
    return url


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Iterator[Databases]:
    with closing(Databases(postgres_url, "template0")) as databases:
        yield databases


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """Yield the URL of the test's own empty database."""
    with databases.one() as url:
        yield url


@pytest.fixture(scope="session")
def state_template(postgres_url: str) -> str:
    """Return the name of a database with Dagster's tables to copy: creating them takes longer than most tests."""
    folder = Path(os.environ[_SERVER])
    name = f"state_{folder.name.rpartition('-')[2]}"
    with (folder / "state").open("a") as made:
        fcntl.flock(made, fcntl.LOCK_EX)  # only one worker creates it
        if not (folder / "state").stat().st_size:
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                connection.execute(f"create database {name} template template0".encode())
            with dagster_state(urlsplit(postgres_url)._replace(path=f"/{name}").geturl()) as instance:
                instance.get_runs()
            made.write(name)
    return name


@pytest.fixture(scope="session")
def state_databases(postgres_url: str, state_template: str) -> Iterator[Databases]:
    with closing(Databases(postgres_url, state_template)) as databases:
        yield databases


@pytest.fixture
def state_database(state_databases: Databases) -> Iterator[str]:
    """Yield the URL of the test's own database with Dagster's tables."""
    with state_databases.one() as url:
        yield url


@pytest.fixture(scope="session")
def emulators() -> Addresses:
    """Return the addresses of the session's emulators of Cloud Storage and BigQuery."""
    return start_or_skip(Path(os.environ[_SERVER]) / "google")


@pytest.fixture
def cloud(emulators: Addresses) -> Cloud:
    """Return the test's own project, whose bucket and dataset do not exist yet."""
    return cloud_of_its_own(emulators)


@pytest.fixture
def ready_cloud(cloud: Cloud) -> Cloud:
    """Return the test's own project, whose bucket and dataset exist."""
    make_ready(cloud)
    return cloud


@pytest.fixture
def server() -> Iterator[TripServer]:
    """Yield a server that publishes nothing yet."""
    with TripServer() as server:
        yield server


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Yield the list of what the platform logs during the test."""
    with collected_log_lines() as lines:
        yield lines


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Skip the waits between the platform's retries and polls, and return the list of the skipped waits."""
    waits: list[float] = []
    monkeypatch.setattr(retries, "sleep", waits.append)
    return waits


@pytest.fixture
def platform(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Yield the platform with the sample as its source, an empty database and an instance in memory."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with instance_in_memory() as instance:
        platform = Platform(instance, database, monkeypatch)
        mine = {"TAXI_SOURCE": "sample:0.001", "TAXI_DATA_DIR": str(tmp_path), "TAXI_POSTGRES_URL": database}
        platform.use(**UNSET | mine)
        yield platform
    settings.cache_clear()


@pytest.fixture
def backfills(state_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backfills]:
    """Yield the platform with ``taxi backfill``, the sample, and a database for trips and Dagster's state."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    for name, value in environment(tmp_path, TAXI_SOURCE="sample:0.001", TAXI_POSTGRES_URL=state_database).items():
        if name.startswith("TAXI_"):
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    with kept_connections() as pools, dg.DagsterInstance.get() as instance:
        yield Backfills(instance, state_database, monkeypatch, pools)
    settings.cache_clear()
