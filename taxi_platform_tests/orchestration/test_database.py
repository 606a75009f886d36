"""The database of Dagster's state: created once, as Dagster would create it, or refused with a clear error."""

import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import dagster as dg
import psycopg
import psycopg2
import pytest
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
)

from taxi_platform.orchestration import database as states
from taxi_platform.orchestration.database import StateUnavailable, state_url
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.retries import ONCE
from taxi_platform.settings import PROJECT, Settings, settings
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.shell import environment, instance, script, typed

SHAPE = (
    "select table_name, column_name, data_type, column_default from information_schema.columns "
    "where table_schema = 'public'",
    "select indexdef from pg_indexes where schemaname = 'public'",
    "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint "
    "where connamespace = 'public'::regnamespace",
    "select name from secondary_indexes where migration_completed is not null",
    "select version_num from alembic_version",
)


# Makes the creation of the table of runs fail as on a full disk.
FULL_DISK = """
create function refuse() returns event_trigger language plpgsql as $$ begin
    if exists (select from pg_event_trigger_ddl_commands() where object_identity = 'public.runs') then
        raise exception 'no space left on device' using errcode = 'disk_full';
    end if;
end $$;
create event trigger refuse on ddl_command_end execute function refuse()
"""


@pytest.fixture
def second(database: str) -> Iterator[str]:
    """Yield another empty database on the same server."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
        yield urlsplit(database)._replace(path=f"/{name}").geturl()
        connection.execute(f"drop database {name} with (force)".encode())


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return sorted(connection.execute(query.encode()).fetchall(), key=str)


def state_in(url: str) -> str:
    return state_url(Settings.model_validate({"dagster_postgres_url": url}))


def with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://")


# The default


def test_on_a_fresh_folder_many_processes_find_one_state_in_the_embedded_server(database: str, tmp_path: Path) -> None:
    fresh = {"TAXI_SOURCE": "sample:0.001", "TAXI_POSTGRES_URL": database, "TAXI_DAGSTER_POSTGRES_URL": ""}
    server = EmbeddedServer(tmp_path / "postgres")
    program = "import dagster as dg; print(dg.DagsterInstance.get().get_runs_count(), 'runs')"
    command = shlex.join([*warm.client_of("dagster"), "python", "-c", program])
    started = {"cwd": PROJECT, "env": environment(tmp_path, **fresh), "stdout": subprocess.PIPE, "text": True}
    try:
        many = [subprocess.Popen(script(command), **started) for _ in range(2)]
        assert [one.communicate(timeout=120)[0] for one in many] == ["0 runs\n"] * 2
        assert list((tmp_path / "dagster").rglob("*.db")) == []
    finally:
        server.stop()


# A configured database


def test_the_tables_are_those_that_dagster_creates(database: str, second: str) -> None:
    state_in(database)
    DagsterPostgresStorage(with_driver(second))
    for query in SHAPE:
        assert ask(database, query) == ask(second, query) != []


def test_many_processes_at_once_create_the_tables_once(database: str) -> None:
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(state_in, [database] * 12)) == {with_driver(database)}
    assert len(ask(database, "select * from alembic_version")) == 1


def test_a_process_that_is_killed_while_it_creates_the_state_leaves_that_to_the_next_one(
    database: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PostgresEventLogStorage, "set_concurrency_slots", killed)
    with pytest.raises(KeyboardInterrupt):
        state_in(database)
    monkeypatch.undo()
    state_in(database)
    DagsterPostgresStorage(with_driver(second))
    for query in SHAPE:
        assert ask(database, query) == ask(second, query) != []
    with instance(database) as opened:
        assert opened.get_runs() == []


def test_a_state_whose_creation_was_killed_within_a_statement_is_created_again(database: str, second: str) -> None:
    state_in(second)
    with psycopg.connect(database) as connection:
        connection.execute("create table taxi_platform_state_is_being_made (); create table runs (id bigint)")
    state_in(database)
    for query in SHAPE:
        assert ask(database, query) == ask(second, query) != []


def test_a_state_of_version_0_1_opens_with_its_runs_also_without_the_version_of_its_tables(database: str) -> None:
    """Check that it opens, although version 0.1 sometimes left out the row with the version of its tables."""
    with instance(database) as opened:
        dg.job(name="before")(lambda: None).execute_in_process(instance=opened)
    with psycopg.connect(database) as connection:
        connection.execute("drop table alembic_version")
    with instance(database) as opened:
        assert [run.job_name for run in opened.get_runs()] == ["before"]
        assert dg.job(name="after")(lambda: None).execute_in_process(instance=opened).success


def test_a_duckdb_file_has_one_writer_from_the_start(database: str) -> None:
    state_in(database)
    query = 'select concurrency_key, "limit" from concurrency_limits'
    assert ask(database, query) == [("duckdb", 1)]


def test_a_copied_configuration_of_version_0_1_still_names_the_storage_and_the_launcher(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (PROJECT / "dagster.yaml").read_text()
    old = text.replace("taxi_platform.orchestration.", "taxi_platform.instance.")
    assert old.count("module: taxi_platform.instance.") == 2
    (tmp_path / "dagster.yaml").write_text(old)
    monkeypatch.setenv("TAXI_DAGSTER_POSTGRES_URL", database)
    settings.cache_clear()
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        assert type(opened.run_launcher).__name__ == "WatchedRunLauncher"
        assert opened.get_runs() == []
    settings.cache_clear()


def test_a_state_of_an_older_dagster_is_left_to_its_own_migration(database: str) -> None:
    state_in(database)
    with psycopg.connect(database) as connection:
        connection.execute("update alembic_version set version_num = '16e3115a602a'; drop table concurrency_slots")
    state_in(database)
    assert ask(database, "select version_num, to_regclass('concurrency_slots') from alembic_version") == [
        ("16e3115a602a", None)
    ]


def test_a_server_that_is_just_starting_is_waited_for(
    database: str, monkeypatch: pytest.MonkeyPatch, no_waits: list[float]
) -> None:
    from psycopg2 import OperationalError

    real, answers = psycopg2.connect, ["FATAL:  the database system is starting up", "", "", "", ""]

    def connect(*args: object, **options: object) -> object:
        answer = answers.pop(0) if answers else ""
        if answer:
            raise OperationalError(answer)
        return real(*args, **options)

    monkeypatch.setattr(psycopg2, "connect", connect)
    assert state_in(database) == with_driver(database)
    assert no_waits == [0.5]


# Errors


def refusal(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(states, "STATE_DATABASE", ONCE)
    with pytest.raises(StateUnavailable) as caught:
        state_in(url)
    assert "pa55word" not in str(caught.value)
    assert caught.value.format_message() == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "url", ["dagster", "mysql://u:pa55word@h/d", "postgresql://u:pa55word@h", "postgresql://u@h:pa55word/d"]
)
def test_a_setting_that_is_not_an_address_is_named_without_its_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(url, monkeypatch).startswith("TAXI_DAGSTER_POSTGRES_URL: it is not a PostgreSQL address")


def test_a_database_that_does_not_exist_is_named_with_its_setting(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal(urlsplit(database)._replace(path="/nowhere").geturl(), monkeypatch)
    assert "database 'nowhere'" in message
    assert message.endswith("there is no such database (" + message.partition("database (")[2])
    assert message.endswith("Create it, or correct TAXI_DAGSTER_POSTGRES_URL.")


def test_the_error_names_the_privilege_to_create_tables(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"r_{uuid4().hex[:20]}"
    parts = urlsplit(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create role {name} login password 'pa55word'".encode())
        try:
            place = parts.netloc.rpartition("@")[2]
            message = refusal(parts._replace(netloc=f"{name}:pa55word@{place}").geturl(), monkeypatch)
        finally:
            connection.execute(f"drop role {name}".encode())
    assert "Dagster's tables cannot be created (permission denied for schema public" in message
    assert message.endswith("Set TAXI_DAGSTER_POSTGRES_URL to a database in which its user may create tables.")


def test_a_database_that_is_read_only_needs_another_one(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(f"{database}?options=-cdefault_transaction_read_only%3Don", monkeypatch)
    assert message.endswith("Set TAXI_DAGSTER_POSTGRES_URL to a database in which its user may create tables.")


def test_another_failure_while_tables_are_created_keeps_its_meaning(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(states._LOCK_TABLES.encode())
        message = refusal(f"{database}?options=-clock_timeout%3D50", monkeypatch)
    assert message.startswith("the database of Dagster's state: PostgreSQL gave up waiting (")
    assert message.endswith("pg_stat_activity shows which session holds the lock.")


def test_a_failure_within_a_statement_of_dagster_keeps_its_meaning(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FULL_DISK)
    message = refusal(database, monkeypatch)
    assert message.startswith("the database of Dagster's state: ")
    assert "disk" in message.partition("(")[0]
    assert "no space left" in message
    assert "sqlalche" not in message


def test_a_command_reports_in_one_sentence_that_the_state_cannot_be_reached(database: str, tmp_path: Path) -> None:
    done = typed("dagster instance info", tmp_path, TAXI_DAGSTER_POSTGRES_URL=f"{database}_gone")
    (error,) = (line for line in done.stdout.splitlines() if line.startswith("Error: "))
    assert done.returncode == 1
    assert "there is no such database" in error
    assert "Traceback" not in done.stdout
