"""Passwords stay where they were set: a run writes them nowhere. The web UI is checked in stack/test_web_ui."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from taxi_platform_tests.support.asset_runs import Platform, Run
from taxi_platform_tests.support.google_keys import secrets_of, service_account_key
from taxi_platform_tests.support.google_server import Answer, GoogleServer


@pytest.fixture
def stranger(database: str) -> Iterator[tuple[str, str]]:
    """Yield the database's URL for the test's own account, and its password, which occurs nowhere else."""
    name, password = f"stranger_{uuid4().hex}", uuid4().hex
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create role {name} superuser login password '{password}'".encode())
        parts = urlsplit(database)
        place = parts.netloc.rpartition("@")[2]
        yield parts._replace(netloc=f"{name}:{password}@{place}").geturl(), password
        connection.execute(f"reassign owned by {name} to current_user".encode())
        connection.execute(f"drop owned by {name}".encode())
        connection.execute(f"drop role {name}".encode())


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """Yield a server that acts as Google and has the bucket and the dataset."""
    with GoogleServer() as server:
        server.add_bucket("trips-123-lake")
        server.add_dataset("zoomcamp")
        yield server


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
    assert password not in left_by(run, platform, tmp_path) + "".join(capfd.readouterr())


@pytest.mark.parametrize("succeeds", [True, False])
def test_the_key_to_google_is_in_nothing_that_a_run_leaves(
    succeeds: bool, google: GoogleServer, platform: Platform, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = service_account_key(google.url)
    platform.use(
        GCP_PROJECT_ID="trips-123",
        GCP_LOCATION="EU",
        GCP_BUCKET_NAME="trips-123-lake",
        GCP_DATASET="zoomcamp",
        GCP_CREDS=base64.b64encode(key.encode()).decode() if succeeds else key,
        STORAGE_EMULATOR_HOST=google.url if succeeds else "",
        BIGQUERY_EMULATOR_HOST=google.url if succeeds else "",
    )
    google.script("POST /token", Answer(400, "Invalid JWT Signature.", "invalid_grant"))
    run = platform.run("gcs/green_tripdata", month="2019-03")
    assert run.succeeded == succeeds
    left = left_by(run, platform, tmp_path) + "".join(capfd.readouterr())
    sent = b"".join(asked.body for asked in google.requests).decode("latin-1")
    for secret in [os.environ["GCP_CREDS"], *secrets_of(key)]:
        assert secret not in left
        assert secret not in sent


def left_by(run: Run, platform: Platform, folder: Path) -> str:
    """Return everything that a run has logged to Dagster and written to disk."""
    logged = [str(entry) for entry in run.log]
    job = platform.instance.get_job_snapshot(run.result.dagster_run.job_snapshot_id)
    kept = b"".join(found.read_bytes() for found in folder.rglob("*") if found.is_file())
    assert len(logged) > 5
    return "".join([*logged, str(job), kept.decode("latin-1")])
