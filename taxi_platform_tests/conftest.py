"""A real PostgreSQL, and stand-ins for Google Cloud, for every test that wants them.

Fixtures of one subject's tests stay with those tests.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from taxi_platform.google.clients import Cloud
from taxi_platform.google.stand_ins import Addresses, StandIns
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform_tests.stand_ins import cloud_of_its_own, make_ready, start_or_skip

# Set by the first process of the session and inherited by xdist's workers, which share the one server.
_SERVER = "TAXI_TEST_SERVER_FOLDER"


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts the tests in the background has them ignore Ctrl-C, and with them whatever they start.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if not hasattr(config, "workerinput"):
        os.environ[_SERVER] = tempfile.mkdtemp(prefix="taxi-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ.pop(_SERVER))
        EmbeddedServer(folder / "postgres").stop(lambda _: None)
        StandIns(folder / "google").stop()
        shutil.rmtree(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what talks to PostgreSQL, so that it can be run alone against another server."""
    for item in items:
        if "database" in getattr(item, "fixturenames", ()):
            item.add_marker("database")


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A superuser's URL: of ``TAXI_TEST_POSTGRES_URL`` when it is set, else of an embedded server for this session."""
    external = os.environ.get("TAXI_TEST_POSTGRES_URL")
    if external:
        return external
    url = EmbeddedServer(Path(os.environ[_SERVER]) / "postgres").start(print)
    with psycopg.connect(url, autocommit=True) as connection:
        # Processes are killed here, never the machine; every test makes a database, which is mostly waiting for disks.
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    return url


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        connection.execute(f"drop database {name} with (force)".encode())


@pytest.fixture(scope="session")
def stand_ins() -> Addresses:
    """Where the session's stand-ins for Cloud Storage and BigQuery answer."""
    return start_or_skip(Path(os.environ[_SERVER]) / "google")


@pytest.fixture
def cloud(stand_ins: Addresses) -> Cloud:
    """A project of the test's own; its bucket and its dataset have names and are not there yet."""
    return cloud_of_its_own(stand_ins)


@pytest.fixture
def ready_cloud(cloud: Cloud) -> Cloud:
    """A project of the test's own whose bucket and dataset are there."""
    make_ready(cloud)
    return cloud
