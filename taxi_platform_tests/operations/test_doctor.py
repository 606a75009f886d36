"""``taxi doctor`` with real databases, ports, servers and daemons, and in an empty folder."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from taxi_platform.bigquery.clients import Cloud
from taxi_platform.operations.doctor import Examine, Finding, dagster_state, machine, servers
from taxi_platform.operations.doctor.diagnosis import run_checks
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.settings import PROJECT, CloudSettings, Settings, settings
from taxi_platform_tests.support.databases import database_from
from taxi_platform_tests.support.emulators import make_ready
from taxi_platform_tests.support.shell import typed
from taxi_platform_tests.support.trip_server import Answer, TripServer


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def found_by(examine: Examine, **chosen: Any) -> list[Finding]:
    ((_, findings),) = run_checks({"it": examine}, Settings(**chosen))
    return list(findings)


def first(examine: Examine, **chosen: Any) -> tuple[str, str]:
    finding = found_by(examine, **chosen)[0]
    return finding.state, finding.what


def changed(url: str, **parts: str) -> str:
    """Return the URL with another user, password, host, port or database."""
    old = urlsplit(url)
    user, password = parts.get("user", old.username), parts.get("password", old.password)
    place = f"{parts.get('host', old.hostname)}:{parts.get('port', old.port)}"
    return f"postgresql://{user}:{password}@{place}/{parts.get('database', old.path[1:])}"


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


@contextmanager
def listening(answer: bytes = b"") -> Iterator[int]:
    """Listen on a port that accepts connections; requests get the answer, or none if it is empty."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if answer:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        if answer:
            server.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# The command


def test_an_empty_folder_stays_empty_and_problems_fail_the_command(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    missing = tmp_path / "published"
    missing.mkdir()
    done = typed("taxi doctor", data, DAGSTER_HOME=str(home), TAXI_SOURCE=str(missing))
    assert done.returncode == 1, done.stdout
    assert "has no green_tripdata_2019-01.csv.gz" in done.stdout
    assert "does not exist yet; the first command that needs it creates it" in done.stdout
    assert "never started" in done.stdout
    assert "the definitions load: " in done.stdout
    assert "Traceback" not in done.stdout
    assert not data.exists()
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]


# PostgreSQL


@pytest.mark.parametrize(
    ("part", "value", "what"),
    [
        ("host", "no-such-host.invalid", "the host name is unknown (DNS)"),
        ("port", "9", "nothing listens on the port"),
        ("password", "wrong", "authentication failed"),
        ("user", "nobody_at_all", "authentication failed"),
        ("database", "no_such_database", "there is no such database"),
        (
            "port",
            "70000",
            "TAXI_POSTGRES_URL: it is not a PostgreSQL address (its port is not a number from 1 to 65535)",
        ),
    ],
)
def test_the_wrong_part_of_the_url_is_named(part: str, value: str, what: str, database: str) -> None:
    (finding,) = found_by(servers.examine_postgres, postgres_url=changed(database, **{part: value}))
    assert finding.state == "problem"
    assert what in finding.what
    assert finding.advice


def test_a_database_in_another_encoding_is_a_problem(postgres_url: str) -> None:
    with database_from(postgres_url, "template0 encoding 'LATIN1' locale 'C'") as latin1:
        finding = found_by(servers.examine_postgres, postgres_url=latin1)[-1]
    assert finding.state == "problem"
    assert "its encoding is LATIN1" in finding.what
    assert "encoding 'UTF8'" in finding.advice


def test_a_connection_pooler_is_a_problem(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", -504976678)  # as PgBouncer answers
    (finding,) = found_by(servers.examine_postgres, postgres_url=database)
    assert finding.state == "problem"
    assert "a connection pooler" in finding.what


@pytest.fixture
def reader(database: str) -> Iterator[str]:
    """Yield the database's URL for a user who may only read."""
    name = f"reader_{uuid4().hex}"
    with psycopg.connect(database, autocommit=True) as connected:
        connected.execute(f"create role {name} login password 'p'".encode())
        connected.execute(b"revoke create on schema public from public")
        connected.execute(b"create table green_tripdata ()")
        connected.execute(f"alter role {name} set default_transaction_read_only = on".encode())
        yield changed(database, user=name, password="p")
        connected.execute(f"drop owned by {name}; drop role {name}".encode())


def test_missing_privileges_are_named(reader: str) -> None:
    problems = [
        finding.what
        for finding in found_by(servers.examine_postgres, postgres_url=reader)
        if finding.state == "problem"
    ]
    assert problems == [
        "the server or the user is read-only",
        "the user of TAXI_POSTGRES_URL may not create tables in the schema public",
        "the user of TAXI_POSTGRES_URL does not own green_tripdata, and cannot replace their months",
    ]


# The embedded server and Dagster's state


def test_an_embedded_server_is_found_stopped_and_running_and_never_started(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "postgres")
    assert first(servers.examine_embedded, data_dir=tmp_path)[1].startswith("never started")
    assert not server.folder.exists()
    try:
        server.start()
        state, what = first(servers.examine_embedded, data_dir=tmp_path)
        assert state == "ok"
        assert what.startswith("PostgreSQL 18.")
        assert " at 127.0.0.1:" in what
        assert found_by(dagster_state.examine_home, data_dir=tmp_path)[-1].what == (
            "its state is in the embedded PostgreSQL; the first command that needs it creates or starts it"
        )
        server.stop()
        before = files(tmp_path)
        assert first(servers.examine_embedded, data_dir=tmp_path)[1].startswith("not running")
        assert found_by(dagster_state.examine_home, data_dir=tmp_path)[-1].state == "ok"
        found_by(dagster_state.examine_daemons, data_dir=tmp_path)
        assert not server.is_running()
        assert files(tmp_path) == before
    finally:
        server.stop()


def test_a_data_directory_of_another_version_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "postgres/data").mkdir(parents=True)
    (tmp_path / "postgres/data/PG_VERSION").write_text("16\n")
    state, what = first(servers.examine_embedded, data_dir=tmp_path)
    assert state == "problem"
    assert "PostgreSQL 16 made this data directory" in what


def test_a_state_that_cannot_be_reached_is_reported_with_its_own_setting(database: str, tmp_path: Path) -> None:
    finding = found_by(dagster_state.examine_home, data_dir=tmp_path, dagster_postgres_url=changed(database, port="9"))[
        -1
    ]
    assert finding.state == "problem"
    assert finding.what.startswith("its state: PostgreSQL at 127.0.0.1:9, ")
    assert "TAXI_DAGSTER_POSTGRES_URL" in finding.advice


def test_heartbeats_are_read_from_an_existing_state_and_nothing_is_created(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("TAXI_DAGSTER_POSTGRES_URL", database)

    def daemons() -> Finding:
        (finding,) = found_by(dagster_state.examine_daemons)
        return finding

    assert (daemons().state, daemons().what) == ("warning", dagster_state.NEVER)
    with psycopg.connect(database) as connected:
        assert connected.execute("select to_regclass('runs')").fetchone() == (None,)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert daemons().what == dagster_state.NEVER
        for name in instance.get_required_daemon_types():
            instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), name, None, None))
        before = files(tmp_path)
        assert daemons().state == "ok"
        assert "daemons run" in daemons().what
        assert files(tmp_path) == before


def test_a_state_whose_creation_was_killed_is_unfinished_and_stays_as_it_is(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("TAXI_DAGSTER_POSTGRES_URL", f"{database}?options=-csearch_path%3Dstate")

    def state() -> Finding:
        return found_by(dagster_state.examine_home, data_dir=tmp_path)[-1]

    with psycopg.connect(database, autocommit=True) as connected:
        connected.execute("create schema state")
        with dg.DagsterInstance.from_config(str(tmp_path)):
            assert "unfinished" not in state().what
        connected.execute("create table state.taxi_platform_state_is_being_made ()")
        tables = connected.execute("select oid from pg_class order by 1").fetchall()
        assert state().what.endswith("missing or unfinished: the first command that uses it creates them")
        assert found_by(dagster_state.examine_daemons)[0].what == dagster_state.NEVER
        assert connected.execute("select oid from pg_class order by 1").fetchall() == tables


# The source


def test_a_source_must_answer_and_have_the_first_month(tmp_path: Path) -> None:
    with TripServer() as server:
        server.publish("/green/green_tripdata_2019-03.csv.gz", b"content")
        assert first(servers.examine_source, source=server.template, first_month="2019-03") == (
            "ok",
            f"{server.template} has green_tripdata_2019-03.csv, 7 bytes",
        )
        state, what = first(servers.examine_source, source=server.template)
        assert state == "problem"
        assert "answers 404" in what
        server.script("/green/green_tripdata_2019-03.csv.gz", Answer(status=403), Answer(status=403))
        assert first(servers.examine_source, source=server.template, first_month="2019-03")[0] == "problem"
    state, what = first(servers.examine_source, source=server.template)
    assert state == "problem"
    assert "Connection refused" in what
    assert first(servers.examine_source, source=str(tmp_path / "nowhere"))[0] == "problem"
    assert first(servers.examine_source, source="sample")[0] == "ok"


# Ports


def test_a_port_is_free_or_used_by_the_web_ui_or_by_another_program() -> None:
    assert machine.check_port(free_port()).state == "ok"
    with listening(b'{"dagster_webserver_version": "1.13.27"}') as port:
        assert machine.check_port(port).what == f"the web UI (Dagster 1.13.27) is on http://127.0.0.1:{port}"
    for answer in (b"<html>", b"[]", b'{"other": 1}'):
        with listening(answer) as port:
            finding = machine.check_port(port)
            assert finding.state == "warning"
            assert finding.what.startswith(f"port {port} is taken by ")
            assert f"(process {os.getpid()})" in finding.what
            assert f"`dagster dev --port {port + 1}`" in finding.advice


# Alerts and Google Cloud


def test_alert_addresses_are_checked_and_nothing_is_sent() -> None:
    assert "nobody is notified" in first(servers.examine_alerts)[1]
    found = found_by(
        servers.examine_alerts, alert_urls="json://127.0.0.1:9/ pigeon://token-of-mine/ slack://token-of-mine/"
    )
    assert [(finding.state, finding.what) for finding in found] == [
        ("problem", "TAXI_ALERT_URLS, pigeon (2 of 3): Apprise knows no service pigeon://"),
        ("problem", "TAXI_ALERT_URLS, slack (3 of 3): a part of it is missing or wrong"),
        ("ok", "failed runs are reported to json (1 of 3)"),
    ]


def test_a_bucket_and_a_dataset_are_checked_and_the_job_that_creates_them_is_named(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = replace(cloud, location="US")  # the location of every bucket of the emulator
    values = {
        "GCP_PROJECT_ID": place.project,
        "GCP_LOCATION": place.location,
        "GCP_BUCKET_NAME": place.bucket,
        "GCP_DATASET": place.dataset,
        "STORAGE_EMULATOR_HOST": place.storage_host,
        "BIGQUERY_EMULATOR_HOST": place.bigquery_host,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    absent = [finding for finding in found_by(servers.examine_cloud) if finding.state == "problem"]
    assert [finding.what for finding in absent] == [
        f"bucket {cloud.bucket}: there is no such bucket",
        f"dataset {cloud.dataset}: there is no such dataset",
    ]
    assert all("gcp_setup" in finding.advice for finding in absent)
    make_ready(place)
    assert [finding.state for finding in found_by(servers.examine_cloud)] == ["ok"]
    for name in ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    unreachable = found_by(servers.examine_cloud)  # each server is tried once; a run would retry for minutes
    assert [finding.state for finding in unreachable] == ["problem", "problem"]
    assert "cannot be reached" in unreachable[0].what


CLOUD = {
    "GCP_PROJECT_ID": "trips-123456",
    "GCP_LOCATION": "europe-west2",
    "GCP_BUCKET_NAME": "trips-lake",
    "GCP_DATASET": "zoomcamp",
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "none were found"),
        ({"GCP_BUCKET_NAME": "Upper", "GCP_DATASET": "a-b"}, "GCP_BUCKET_NAME=Upper: a bucket cannot have this name"),
        ({"GCP_CREDS": "hunter22"}, "GCP_CREDS: it is neither JSON nor JSON in base64"),
    ],
)
def test_wrong_cloud_settings_are_reported_before_google_is_asked(
    changes: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in CloudSettings.model_fields:
        monkeypatch.delenv(f"GCP_{name.upper()}", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "no-key.json"))
    for name, value in {**CLOUD, **changes}.items():
        monkeypatch.setenv(name, value)
    (finding, *_) = found_by(servers.examine_cloud)
    assert finding.state == "problem"
    assert message in finding.what
    assert "hunter22" not in str(finding)


def test_the_command_ends_in_seconds_while_everything_hangs(tmp_path: Path) -> None:
    with listening() as port:
        hanging = f"postgresql://u:hunter22@127.0.0.1:{port}/d"
        began = time.monotonic()
        done: subprocess.CompletedProcess[str] = typed(
            "taxi doctor",
            tmp_path,
            TAXI_SOURCE=f"http://127.0.0.1:{port}/{{service}}/{{month}}.csv",
            TAXI_POSTGRES_URL=hanging,
            TAXI_DAGSTER_POSTGRES_URL=hanging,
            TAXI_WEB_URL=f"http://127.0.0.1:{port}",
        )
    assert done.returncode == 1
    assert time.monotonic() - began < 60  # 14 s on an idle machine
    assert "hunter22" not in done.stdout
    assert "Traceback" not in done.stdout
