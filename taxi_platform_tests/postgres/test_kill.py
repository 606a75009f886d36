"""Loads that are killed and servers that go away: the month stays whole."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from taxi_platform.errors import (
    DatabaseInterrupted,
    StorageFull,
)
from taxi_platform.postgres import connection as connections
from taxi_platform.postgres import loader
from taxi_platform.postgres.connection import connect, postgres_errors
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import rows, with_field

OLD = rows(GREEN, 50)
NEW = rows(GREEN, 3000, first=100)
QUERY = "select count(*), count(distinct lpep_pickup_datetime), sum(total_amount)::numeric(12, 2) from green_tripdata"


@pytest.fixture
def loads(tmp_path: Path, database: str) -> Loads:
    return Loads(tmp_path, database)


# Small blocks, so that a COPY has several; ``die`` kills the process like the kernel when memory runs out.
DIE = """
import os, signal
whole = trip_files.read_chunks
trip_files.read_chunks = lambda path: whole(path, 512)
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
"""
MID_COPY = (
    DIE
    + """
whole_blocks = loader._regular_blocks
def killed_blocks(stream):
    for number, block in enumerate(whole_blocks(stream)):
        yield die() if number == 20 else block
loader._regular_blocks = killed_blocks
"""
)
AT = DIE + "real = loader.execute\nloader.execute = lambda c, s, p=None: die() if {!r} in s else real(c, s, p)"
# ``test_chaos`` kills at any instant between them.
POINTS = {
    "in mid-COPY": (MID_COPY, False),
    "inside the swap, when the old month is detached": (AT.format("attach partition"), False),
    "inside the swap, when the new month is attached": (AT.format("delete from"), False),
    "before the commit of the swap": (
        DIE + "real = loader.execute\n"
        "loader.execute = lambda c, s, p=None: (real(c, s, p), 'on conflict' in s and die())[0]",
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
    """Wait until no lock is held; the server notices only at its next read that a client is gone."""
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
    assert loads.loading_tables() == []
    wait_for_no_locks(loads)
    assert loads.load().unchanged


def test_a_killed_load_of_an_irregular_file_leaves_the_old_month_and_its_rejects(loads: Loads) -> None:
    loads.load(["worse", *OLD], max_bad_rows=1)
    before = loads.state()
    loads.publish([BAD, *NEW])
    die_loading(loads, DIE + "loader.when_readers_allow = die")
    assert loads.state() == before
    assert loads.load(max_bad_rows=1).rows == 3000
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
    while not any("another process is loading this month" in line for line in loads.logged):
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

    def copy(blocks, copying, statement, encode):
        def broken():
            yield next(blocks)
            loads.ask("select pg_terminate_backend(%s)", copying[victim].info.backend_pid)
            time.sleep(0.1)
            yield from blocks
            yield from iter(lambda: (NEW[0] + "\r\n").encode() * 10_000, None)  # more than the kernel buffers

        return copy_blocks(broken(), copying, statement, encode)

    monkeypatch.setattr(loader, "copy_blocks", copy)
    with pytest.raises(DatabaseInterrupted, match=r"2019-03\.csv: PostgreSQL went away") as caught:
        loads.load(NEW)
    assert caught.value.transient
    assert "The table is as it was; run again once the server is back." in str(caught.value)
    monkeypatch.undo()
    assert loads.state() == before
    assert loads.load().rows == 3000
    assert loads.loading_tables() == []


@pytest.mark.parametrize("point", ["attach partition", "delete from"])
def test_a_backend_that_is_killed_in_the_swap_interrupts_the_load(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    loads.load(OLD)
    before = loads.state()
    real = loader.execute

    def kill(connection: Any, statement: str, parameters: Any = None) -> object:
        if point in statement:
            loads.ask(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        return real(connection, statement, parameters)

    monkeypatch.setattr(loader, "execute", kill)
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
        with pytest.raises(DatabaseInterrupted, match=r"gave up waiting .*lock timeout.* pg_stat_activity shows"):
            loads.load(NEW)
    assert loads.state() == before


def test_a_statement_that_hangs_makes_the_load_give_up(loads: Loads) -> None:
    with connect(loads.url) as connection:
        connection.execute("set statement_timeout = '50ms'")
        with pytest.raises(DatabaseInterrupted, match=r"gave up waiting .*statement timeout"), postgres_errors("x"):
            connection.execute("select pg_sleep(5)")


# A full disk


@pytest.fixture
def small_disk(loads: Loads) -> Iterator[str]:
    """Create a tablespace of a few MiB in which the database puts new tables, and yield its name."""
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
