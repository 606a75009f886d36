"""Passwords stay where they were set: a run writes them nowhere. What the web UI shows is looked at with the web UI."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from taxi_platform_tests.asset_runs import Platform


@pytest.fixture
def stranger(database: str) -> Iterator[tuple[str, str]]:
    """The database's URL for an account of the test's own, and its password, which stands nowhere else."""
    name, password = f"stranger_{uuid4().hex}", uuid4().hex
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create role {name} superuser login password '{password}'".encode())
        parts = urlsplit(database)
        place = parts.netloc.rpartition("@")[2]
        yield parts._replace(netloc=f"{name}:{password}@{place}").geturl(), password
        connection.execute(f"reassign owned by {name} to current_user".encode())
        connection.execute(f"drop owned by {name}".encode())
        connection.execute(f"drop role {name}".encode())


@pytest.mark.parametrize(("database_is", "succeeds"), [("", True), ("_gone", False)])
def test_the_password_of_the_database_is_in_nothing_that_a_run_leaves(
    database_is: str,
    succeeds: bool,
    stranger: tuple[str, str],
    platform: Platform,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    url, password = stranger
    platform.use(TAXI_POSTGRES_URL=url + database_is)
    run = platform.run("green_tripdata", "taxi_zone_lookup", month="2019-03")
    assert run.succeeded == succeeds
    told = [str(entry) for entry in run.log]
    job = platform.instance.get_job_snapshot(run.result.dagster_run.job_snapshot_id)
    kept = b"".join(found.read_bytes() for found in tmp_path.rglob("*") if found.is_file())
    assert len(told) > 5
    assert password not in "".join([*told, *capfd.readouterr(), str(job)])
    assert password.encode() not in kept
