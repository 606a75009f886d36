"""deploy/postgres/databases.sh, run as PostgreSQL's image runs it: what the two accounts may do."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.postgres_image import PostgresImage
from taxi_platform_tests.support.stack import PASSWORDS
from taxi_platform_tests.support.this_machine import free_ports


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Return the port of a server that the script has prepared."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="databases-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "image").mkdir()
        image = PostgresImage(Path(folder) / "image")
        image.make(["postgres"], port, PASSWORDS, [PROJECT / "deploy/postgres/databases.sh"])
        server = subprocess.Popen(
            image.server(["postgres"], port), stderr=subprocess.DEVNULL, **image.account.arguments()
        )
        try:
            subprocess.run(
                ["bash", "-c", f"until pg_isready --quiet --host=127.0.0.1 --port={port}; do sleep 0.05; done"],
                env={"PATH": image.search_path},
                check=True,
                timeout=60,
            )
            yield port
        finally:
            server.terminate()
            server.wait()


def connect(port: int, user: str, password: str, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1", port=port, user=user, password=PASSWORDS[password], dbname=database, autocommit=True
    )


def test_the_account_of_the_trips_sees_the_snapshot_of_a_backup(port: int) -> None:
    with (
        connect(port, "postgres", "POSTGRES_PASSWORD", "ny_taxi") as backup,
        connect(port, "taxi", "TAXI_DB_PASSWORD", "ny_taxi") as taxi,
    ):
        backup.execute("begin isolation level repeatable read")
        backup.execute("select 1 from pg_class limit 1")
        snapshots = "select usename from pg_stat_activity where backend_xmin is not null and usename = 'postgres'"
        assert taxi.execute(snapshots).fetchall() == [("postgres",)]


@pytest.mark.parametrize(
    ("user", "password", "database"),
    [("taxi", "TAXI_DB_PASSWORD", "dagster"), ("dagster", "DAGSTER_DB_PASSWORD", "ny_taxi")],
)
def test_neither_account_connects_to_the_others_database(user: str, password: str, database: str, port: int) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        connect(port, user, password, database)
