"""deploy/postgres/databases.sh, run as PostgreSQL's image runs it: what the accounts may do, and restoring a backup."""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from taxi_platform.postgres.embedded.programs import installed
from taxi_platform.settings import PROJECT
from taxi_platform_tests.cli.test_status import data
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.postgres_image import PostgresImage
from taxi_platform_tests.support.stack import PASSWORDS
from taxi_platform_tests.support.this_machine import free_ports


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Start a server that the script has prepared, and yield its port."""
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


def documented(program: str) -> list[str]:
    """Return the words of docs/deploy.md's command for this program and the trips, without container and file."""
    page = (PROJECT / "docs/deploy.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"exec -T postgres ({program} [^<>\n]*)", page)
    return shlex.split(line.replace("$database", "ny_taxi"))


def test_status_reports_the_same_after_a_restore_into_an_empty_server(
    port: int, backfills: Backfills, tmp_path: Path
) -> None:
    backfills.run("green_tripdata", months="2019-01...2019-03")
    before = data()
    assert before["services"]["green"]["rows"] > 0
    place = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGPASSWORD": PASSWORDS["POSTGRES_PASSWORD"]}
    run = partial(subprocess.run, env={"PATH": f"{installed()}:{os.defpath}", **place}, check=True)
    # The test's database has the tables of both: trips and Dagster's state.
    dump = [backfills.database if word == "ny_taxi" else word for word in documented("pg_dump")]
    with (tmp_path / "dump").open("w+b") as file:
        run([word for word in dump if word not in ("--username", "postgres")], stdout=file)
        file.seek(0)
        run(documented("pg_restore"), stdin=file)
    run(documented("psql"))
    restored = f"postgresql://taxi:{PASSWORDS['TAXI_DB_PASSWORD']}@127.0.0.1:{port}/ny_taxi"
    backfills.use(TAXI_POSTGRES_URL=restored, TAXI_DAGSTER_POSTGRES_URL=restored)
    assert data() == before
