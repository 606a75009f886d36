"""Loads that die, servers that go away, connections that never come: the month stays whole, the error says which."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from taxi_platform.errors import (
    DatabaseInterrupted,
    DatabaseRefused,
    DatabaseUnreachable,
    InvalidSetting,
    StorageFull,
    UnsupportedServer,
)
from taxi_platform.postgres import connection as connections
from taxi_platform.postgres import loader, tables
from taxi_platform.postgres.connection import connect, postgres_errors
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import rows, with_field

OLD = rows(GREEN, 50)
NEW = rows(GREEN, 3000, first=100)
QUERY = "select count(*), count(distinct lpep_pickup_datetime), sum(total_amount)::numeric(12, 2) from green_tripdata"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


# Small blocks, so that there is a middle; and the end of the process, as by the kernel when memory runs out.
DIE = """
import os, signal
loader.read_chunks = lambda path: trip_files.read_chunks(path, 512)
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
"""
MID_COPY = (
    DIE
    + """
following, blocks = copying._SharedBlocks._next, []
def next_block(self):
    blocks.append(following(self))
    return die() if len(blocks) == 20 else blocks[-1]
copying._SharedBlocks._next = next_block
"""
)
POINTS = {
    "before the month's table is filled": (DIE + "loader.copy_blocks = die", False),
    "in mid-COPY": (MID_COPY, False),
    "when all rows are copied": (DIE + "loader._Load._check = die", False),
    "before the swap": (DIE + "loader.when_readers_allow = die", False),
    "inside the swap, when the old month is detached": (DIE + "loader.tables.attach = die", False),
    "inside the swap, when the new month is attached": (DIE + "loader.tables.replace_rejects = die", False),
    "before the commit of the swap": (
        DIE + "real = loader.execute\n"
        "loader.execute = lambda c, s, p=None: (real(c, s, p), s == tables.RECORD_MONTH and die())[0]",
        False,
    ),
    "after the swap": (
        DIE + "real = loader.when_readers_allow\nloader.when_readers_allow = lambda *a: (real(*a), die())",
        True,
    ),
}
BAD = with_field(GREEN, OLD[0], "trip_distance", "far")


def die_loading(loads: Loads, prelude: str) -> None:
    process = loads.begin(prelude)
    output = process.communicate(timeout=180)[0]
    assert process.returncode == -signal.SIGKILL, output


def wait_for_no_locks(loads: Loads) -> None:
    """The server notices at its next read that a client is gone."""
    deadline = time.monotonic() + 10
    while loads.locks():
        assert time.monotonic() < deadline
        time.sleep(0.02)


FIRST = {name: POINTS[name] for name in ("in mid-COPY", "inside the swap, when the new month is attached")}


@pytest.mark.parametrize(
    ("prelude", "is_new", "earlier"),
    [*((*point, OLD) for point in POINTS.values()), *((*point, []) for point in FIRST.values())],
    ids=[*POINTS, *(f"{name}, of the first load" for name in FIRST)],
)
def test_a_load_that_is_killed_leaves_the_old_month_or_the_new_one(
    loads: Loads, prelude: str, is_new: bool, earlier: list[str]
) -> None:
    loads.load(NEW)
    versions = {"new": loads.ask(QUERY)}
    if earlier:
        loads.load(earlier)
    else:
        loads.ask("drop table green_tripdata_2019_03; delete from tripdata_files")
    versions["old"] = loads.ask(QUERY)
    loads.publish(NEW)
    die_loading(loads, prelude)
    assert loads.ask(QUERY) == versions["new" if is_new else "old"]
    wait_for_no_locks(loads)
    after = loads.load()
    assert (after.rows, after.unchanged) == (3000, is_new)
    assert loads.ask(QUERY) == versions["new"]
    assert (loads.loading_tables(), loads.locks()) == ([], 0)
    assert loads.load().unchanged


@pytest.mark.parametrize("point", ["loader.Canonical = die", "loader.when_readers_allow = die"])
def test_a_killed_load_of_an_irregular_file_leaves_the_old_month_and_its_rejects(loads: Loads, point: str) -> None:
    loads.load(["worse", *OLD], on_bad_rows="quarantine")
    before = loads.state()
    loads.publish([BAD, *NEW])
    die_loading(loads, DIE + point)
    assert loads.state() == before
    assert loads.load(on_bad_rows="quarantine").rows == 3000
    assert loads.ask("select line, text from green_tripdata_rejects") == [(2, BAD)]
    assert loads.loading_tables() == []


def test_a_load_that_dies_frees_its_month_for_one_that_waits(loads: Loads) -> None:
    loads.publish(NEW)
    process = loads.begin(
        DIE + "loader.copy_blocks = lambda *a: (print('copying', flush=True), __import__('time').sleep(60))"
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "copying\n":
            break
    waiting = threading.Thread(target=loads.load)
    waiting.start()
    while not any("another process is loading this month" in line for line in loads.said):
        time.sleep(0.01)
    process.kill()
    waiting.join(30)
    process.communicate()
    assert loads.one("select count(*) from green_tripdata") == 3000


# A server that goes away


@pytest.mark.parametrize("victim", [0, 1])
def test_a_backend_that_is_killed_in_mid_copy_interrupts_the_load(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, victim: int
) -> None:
    loads.load(OLD)
    before = loads.state()
    copy_blocks = loader.copy_blocks

    def copy(blocks, copying, statement):
        def broken():
            yield next(blocks)
            loads.ask("select pg_terminate_backend(%s)", copying[victim].info.backend_pid)
            time.sleep(0.1)
            yield from blocks
            yield from iter(lambda: (NEW[0] + "\r\n").encode() * 10_000, None)  # as much as the kernel would buffer

        return copy_blocks(broken(), copying, statement)

    monkeypatch.setattr(loader, "copy_blocks", copy)
    with pytest.raises(DatabaseInterrupted, match=r"2019-03\.csv: PostgreSQL went away") as caught:
        loads.load(NEW)
    assert caught.value.transient
    assert "The table is as it was; run again once the server is back." in str(caught.value)
    monkeypatch.undo()
    assert loads.state() == before
    assert loads.load().rows == 3000
    assert loads.loading_tables() == []


@pytest.mark.parametrize("point", ["attach", "replace_rejects"])
def test_a_backend_that_is_killed_in_the_swap_interrupts_the_load(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    loads.load(OLD)
    before = loads.state()
    real = getattr(tables, point)

    def kill(*arguments: object) -> object:
        loads.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        return real(*arguments)

    monkeypatch.setattr(tables, point, kill)
    with pytest.raises(DatabaseInterrupted, match="PostgreSQL went away"):
        loads.load(NEW)
    monkeypatch.undo()
    assert loads.state() == before
    assert loads.load().rows == 3000


def test_a_lock_that_somebody_holds_makes_the_load_give_up(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    loads.load(OLD)
    before = loads.state()
    monkeypatch.setitem(connections._SESSION, "lock_timeout", "100ms")  # pyright: ignore[reportPrivateUsage]
    with psycopg.connect(loads.url) as other:
        other.execute("lock table tripdata_files")
        with pytest.raises(DatabaseInterrupted, match=r"gave up waiting .*lock timeout.* See pg_stat_activity"):
            loads.load(NEW)
    assert loads.state() == before


def test_a_statement_that_hangs_makes_the_load_give_up(loads: Loads) -> None:
    with connect(loads.url) as connection:
        connection.execute("set statement_timeout = '50ms'")
        with pytest.raises(DatabaseInterrupted, match=r"gave up waiting .*statement timeout"), postgres_errors("x"):
            connection.execute("select pg_sleep(5)")


def test_every_session_has_its_timeouts(loads: Loads) -> None:
    with connect(loads.url) as connection:
        row = connection.execute(
            "select current_setting('lock_timeout'), current_setting('statement_timeout'), current_setting('timezone'),"
            " current_setting('client_encoding'), current_setting('application_name'), current_setting('datestyle')"
        ).fetchone()
    assert row == ("30s", "1h", "UTC", "UTF8", "taxi_platform", "ISO, MDY")


# No connection


@pytest.fixture
def role(loads: Loads) -> Iterator[str]:
    """A user of the server with a password and no rights."""
    name = "r" + urlsplit(loads.url).path.removeprefix("/test_")[:20]
    loads.ask(f"create role {name} login password 'right'")
    yield name
    loads.ask(f"drop owned by {name}; drop role {name}")


def url(loads: Loads, **parts: object) -> str:
    """The database's URL with another user, password, host, port or database."""
    known = urlsplit(loads.url)
    user, password = parts.get("user", known.username), parts.get("password", known.password)
    host, port = parts.get("host", known.hostname), parts.get("port", known.port or 5432)
    return f"postgresql://{user}:{password}@{host}:{port}/{parts.get('database', known.path.removeprefix('/'))}"


def refusal(address: str, error: type[Exception] = DatabaseUnreachable) -> str:
    """What is said of an address at which there is no connection; nothing leaks out of it."""
    with pytest.raises(error) as caught:
        connect(address)
    message = str(caught.value)
    assert "right" not in message
    assert "wrong" not in message
    return message


def test_an_unknown_host_is_named(loads: Loads) -> None:
    message = refusal(url(loads, host="no-such-host.invalid"))
    assert message.startswith("PostgreSQL at no-such-host.invalid:")
    assert "the host name is unknown (DNS)" in message
    assert message.endswith("Check the host in TAXI_POSTGRES_URL.")


def test_a_port_that_nobody_listens_on_is_named(loads: Loads) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        message = refusal(url(loads, host="127.0.0.1", port=port))
    assert message.startswith(f"PostgreSQL at 127.0.0.1:{port}, database 'test_")
    assert "nothing listens on the port" in message


def test_a_host_that_does_not_answer_is_given_up(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        message = refusal(url(loads, host="127.0.0.1", port=silent.getsockname()[1]))
    assert "the host does not answer (port)" in message


def test_a_wrong_password_is_an_authentication_failure(loads: Loads, role: str) -> None:
    message = refusal(url(loads, user=role, password="wrong"))
    assert "authentication failed (" in message
    assert "Check user and password in TAXI_POSTGRES_URL." in message


def test_an_unknown_user_is_an_authentication_failure(loads: Loads) -> None:
    assert "authentication failed" in refusal(url(loads, user="nobody_at_all", password="wrong"))


def test_a_user_who_may_not_log_in_is_told_apart_from_one_who_is_not_there(loads: Loads, role: str) -> None:
    loads.ask(f"alter role {role} nologin")
    message = refusal(url(loads, user=role, password="right"))
    assert "authentication failed" in message
    assert "there is no such user" not in message


def test_an_unknown_database_is_named(loads: Loads) -> None:
    message = refusal(url(loads, database="no_such_database"))
    assert "there is no such database" in message
    assert "database 'no_such_database'" in message


def test_a_database_that_one_may_not_enter_is_told_apart_from_one_that_is_not_there(loads: Loads, role: str) -> None:
    loads.ask(f'revoke connect on database "{urlsplit(loads.url).path[1:]}" from public')
    message = refusal(url(loads, user=role, password="right"))
    assert "there is no such database" not in message
    assert "may not enter the database" in message


def test_no_connection_left_is_the_reason(loads: Loads, role: str) -> None:
    loads.ask(f"alter role {role} connection limit 1")
    address = url(loads, user=role, password="right")
    with psycopg.connect(address):
        message = refusal(address)
    assert "it has no connection left" in message
    assert "run fewer loads at once" in message


def test_a_load_that_gets_only_one_of_its_connections_leaves_the_table_as_it_was(loads: Loads, role: str) -> None:
    loads.ask(f"alter role {role} connection limit 1; grant create on schema public to {role}")
    loads.publish(OLD)
    with pytest.raises(DatabaseUnreachable, match="it has no connection left") as caught:
        load_month(url(loads, user=role, password="right"), loads.fetch())
    assert caught.value.transient
    assert loads.one("select count(*) from green_tripdata") == 0
    loads.ask(f"alter role {role} connection limit 2")
    assert load_month(url(loads, user=role, password="right"), loads.fetch()).rows == 50


def test_a_missing_privilege_is_a_refusal(loads: Loads, role: str) -> None:
    loads.load(OLD)
    before = loads.state()
    loads.publish(NEW)
    with pytest.raises(DatabaseRefused, match="permission denied"):
        load_month(url(loads, user=role, password="right"), loads.fetch())
    assert loads.state() == before


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "postgresql://h:port/db",
        "postgresql://[::1/db",
        "postgresql://u:right@h/db?colour=green",
        "postgresql://u:right@h:99999/db",
        "mysql://u:right@h/db",
        "host=h colour=green",
        "postgresql://%zz@h/db",
    ],
)
def test_an_address_that_is_none_is_an_invalid_setting(address: str) -> None:
    message = refusal(address, InvalidSetting)
    assert message.startswith("TAXI_POSTGRES_URL: it is not a PostgreSQL address (")
    assert message.endswith("Write postgresql://user:password@host:5432/database.")


def test_a_server_that_is_too_old_is_refused(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "OLDEST_SERVER", 99)
    with pytest.raises(UnsupportedServer, match=r"it is PostgreSQL \d+, and 99 is the oldest that will do"):
        connect(loads.url)


def test_a_server_that_goes_away_while_it_is_greeted_is_unreachable(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(connection: object, statement: str, parameters: object = None) -> object:
        raise psycopg.OperationalError("terminating connection due to administrator command")

    monkeypatch.setattr(connections, "execute", gone)
    with pytest.raises(DatabaseUnreachable, match="terminating connection"):
        connect(loads.url)


# A full disk


@pytest.fixture
def small_disk(loads: Loads) -> Iterator[str]:
    """A tablespace of a few MiB, where the database puts new tables."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    owner = _server_user(loads)
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    folder.chmod(0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=777", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("no small disk can be mounted here")
    space = folder / "space"
    space.mkdir()
    os.chown(space, owner, owner)
    name = "t" + urlsplit(loads.url).path.removeprefix("/test_")[:20]
    try:
        loads.ask(f"create tablespace {name} location '{space}'")
        loads.ask(f'alter database "{urlsplit(loads.url).path[1:]}" set default_tablespace = {name}')
        yield name
        loads.ask("drop schema public cascade; create schema public")
        loads.ask(f"drop tablespace {name}")
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def _server_user(loads: Loads) -> int:
    pid = loads.one("select pg_backend_pid()") if urlsplit(loads.url).hostname in ("127.0.0.1", "localhost") else 0
    with psycopg.connect(loads.url) as connection:
        process = Path(f"/proc/{connection.info.backend_pid}")
        if not pid or not process.exists():
            pytest.skip("the server does not run on this machine")
        return process.stat().st_uid


def test_a_server_whose_disk_is_full_leaves_the_table_as_it_was(loads: Loads, small_disk: str) -> None:
    loads.load(OLD)
    before = loads.state()
    many = [*NEW] * 40
    with pytest.raises(StorageFull, match=r"2019-03\.csv: PostgreSQL's disk is full .*Free space on it"):
        loads.load(many)
    assert loads.state() == before
    assert loads.load(OLD[1:]).rows == 49
    assert loads.loading_tables() == []
