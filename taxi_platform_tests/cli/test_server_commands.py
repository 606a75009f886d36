"""``taxi psql``, ``taxi url`` and ``taxi stop``: the embedded PostgreSQL from a shell."""

from pathlib import Path
from subprocess import CompletedProcess

import psycopg

from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform_tests.support.shell import typed


def test_psql_starts_the_server_url_leads_to_it_and_stop_ends_it(tmp_path: Path) -> None:
    def run(command: str) -> "CompletedProcess[str]":
        return typed(command, data=tmp_path)

    try:
        shell = run("echo 'create table kept as select 42 as answer' | taxi psql")
        assert shell.returncode == 0, shell.stdout
        url = run("taxi url 2>/dev/null").stdout.strip()
        with psycopg.connect(url) as connection:
            assert connection.execute("select answer from kept").fetchone() == (42,)
        assert "PostgreSQL is stopped" in run("taxi stop").stdout
        assert not EmbeddedServer(tmp_path / "postgres").is_running()
        assert run("taxi stop").returncode == 0
    finally:
        EmbeddedServer(tmp_path / "postgres").stop()


def test_url_prints_the_address_that_the_setting_names(database: str, tmp_path: Path) -> None:
    assert typed("taxi url", data=tmp_path, TAXI_POSTGRES_URL=database).stdout.strip() == database
    assert not (tmp_path / "postgres").exists()
