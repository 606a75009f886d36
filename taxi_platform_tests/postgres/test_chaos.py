"""Loads whose process or server process is killed at random instants: the month stays whole, and nothing is left over.

Three months are loaded again and again, each time with the other of two versions of its file: a regular one, and one
with bad rows, which the parser reads and whose bad rows are set aside. After each kill the table must hold exactly the
version that its load record names, the old one or the new one; the next load must make it the new one.

The suite kills a few times. ``make chaos`` kills 200 times on each version of PostgreSQL and prints the outcomes.
"""

import hashlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from taxi_platform.postgres.embedded.programs import account_for
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.postgres.loader import load_month
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.at_once import load, processes
from taxi_platform_tests.support.month_loads import Loads
from taxi_platform_tests.support.trip_texts import rows, text, with_field, zipped

KILLS = int(os.environ.get("TAXI_CHAOS_KILLS", "6"))
SECONDS = 120  # long enough for any step on a busy machine
MONTHS = list(Month(2019, 3).through(Month(2019, 5)))
REGULAR = rows(GREEN, 6000)
IRREGULAR = [
    with_field(GREEN, line, "trip_distance", "far") if number % 2000 == 7 else line
    for number, line in enumerate(rows(GREEN, 5000, first=3000))
]
POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def postgresql_15() -> Generator[str]:
    """Start Debian's PostgreSQL 15 in a temporary folder."""
    if not POSTGRES_15.exists():
        pytest.skip("PostgreSQL 15 is not installed; Debian: apt-get install postgresql-15")
    with tempfile.TemporaryDirectory(prefix="chaos-") as name, socket.socket() as probe:
        folder = Path(name)
        account = account_for(folder / "data")
        os.chown(folder, account.uid, account.gid)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        password = hashlib.sha256(os.urandom(16)).hexdigest()
        (folder / "password").write_text(password)
        os.chown(folder / "password", account.uid, account.gid)

        def run(program: str, *arguments: str) -> None:
            command = [POSTGRES_15 / program, "-D", folder / "data", *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **account.arguments())

        run("initdb", "-U", "taxi", "-A", "scram-sha-256", f"--pwfile={folder}/password", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
        run("pg_ctl", "-l", str(folder / "log"), "-w", "-o", options, "start")
        try:
            yield f"postgresql://taxi:{password}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


@contextmanager
def postgresql_18() -> Generator[str]:
    """Start an embedded server in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        server = EmbeddedServer(Path(folder) / "postgres")
        url = server.start()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("alter system set fsync = off")  # processes are killed here, never the machine
            connection.execute("select pg_reload_conf()")
        try:
            yield url
        finally:
            server.stop()


class Trips(Loads):
    """The published months, the table that they are loaded into, and the server's processes."""

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition is true; a server that recovers refuses connections meanwhile."""
        deadline = time.monotonic() + SECONDS
        while True:
            with suppress(psycopg.OperationalError):
                if condition():
                    return
            assert time.monotonic() < deadline, what
            time.sleep(0.01)

    def content(self, month: Month) -> tuple[Any, ...]:
        """Count and hash the rows and the rejects of a month, whatever their order, and name the version loaded."""
        name = GREEN.file_name(month)
        return self.ask(
            "select (select sha256 from tripdata_files where filename = %(name)s), count(*), "
            "sum(hashtextextended(t::text, 0)::numeric), "
            "(select array_agg((line, text) order by line)::text from green_tripdata_rejects "
            "where filename = %(name)s) "
            "from green_tripdata as t where filename = %(name)s",
            name,
        )[0]

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query, whose only parameter is called ``name``."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), {"name": parameters[0]} if parameters else None)
            return cursor.fetchall() if cursor.description else []

    def backends(self) -> list[int]:
        """Return the pids of the server's processes that work for loads."""
        return [
            pid
            for (pid,) in self.ask(
                "select pid from pg_stat_activity where application_name = 'taxi_platform' and pid <> pg_backend_pid()"
            )
        ]

    def left_over(self) -> list[object]:
        """Return what should be gone after a load: its loading tables, locks, sessions and partial files."""
        partial = [path for path in self.folder.parent.rglob("*") if "partial" in path.name or "tmp" in path.name]
        return [*self.loading_tables(), *(["a lock"] * self.locks()), *self.backends(), *partial]


def kill_loading(trips: Trips, file: TripFile, victim: str, after: float) -> bool:
    """Load a month, and kill its process or one of the server's after some seconds; return whether it was too late."""
    process = processes.Process(target=load, args=(trips.url, file), daemon=True)
    process.start()
    # The process is forked within milliseconds, but on a busy machine it may begin late.
    trips.until(lambda: trips.backends() or process.exitcode is not None, "the load begins")
    time.sleep(after)
    victims = [process.pid] if victim == "client" else trips.backends()
    killed = process.exitcode is None and bool(victims)
    if killed:
        with suppress(ProcessLookupError):
            os.kill(random.choice(victims) or 0, signal.SIGKILL)
    process.join(SECONDS)
    assert process.exitcode is not None, "the load does not end"
    trips.until(lambda: trips.ask("select 1"), "the server recovers")
    trips.until(lambda: trips.backends() == [] and trips.locks() == 0, "the sessions of the load end")
    return not killed or (victim == "client" and process.exitcode != -signal.SIGKILL)


@pytest.mark.parametrize("server", [postgresql_18, postgresql_15], ids=["18", "15"])
def test_a_month_whose_load_is_killed_at_any_instant_is_old_or_new_and_the_next_load_makes_it_new(
    server: Callable[[], AbstractContextManager[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    with server() as url:
        trips = Trips(tmp_path, url)
        versions: dict[tuple[Month, str], tuple[Any, ...]] = {}
        durations: list[float] = []
        for month in MONTHS:
            for lines in (REGULAR, IRREGULAR):
                trips.publish(zipped(text(GREEN, lines)), GREEN, month)
                file = trips.fetch(GREEN, month)
                begun = time.monotonic()
                loaded = load_month(url, file, max_bad_rows=1)
                durations.append(time.monotonic() - begun)
                assert loaded.rows + loaded.rejected == len(lines)
                versions[month, file.facts.sha256] = trips.content(month)
        longest = sorted(durations)[len(durations) // 2] * 1.5  # in its own process a load takes longer
        begun = time.monotonic()
        while outcomes.total() < KILLS:
            victim = random.choice(["client", "backend"])
            month, after = random.choice(MONTHS), random.uniform(0, longest)
            before = trips.content(month)
            trips.publish(zipped(text(GREEN, IRREGULAR if before[1] == len(REGULAR) else REGULAR)), GREEN, month)
            file = trips.fetch(GREEN, month)
            too_late = kill_loading(trips, file, victim, after)
            now = trips.content(month)
            how = f"{victim} killed after {after:.3f} s of about {longest:.3f}"
            assert now in (before, versions[month, file.facts.sha256]), how
            if not too_late:
                outcomes[f"{victim}, {'old' if now == before else 'new'} month"] += 1
            load_month(url, file, max_bad_rows=1)
            assert trips.content(month) == versions[month, file.facts.sha256], how
            trips.until(lambda: trips.left_over() == [], f"something is left over: {trips.left_over()}, {how}")
            assert load_month(url, file, max_bad_rows=1).unchanged, how
        (version,) = trips.ask("show server_version")[0]
    with capsys.disabled():
        if KILLS > 50:
            found = ", ".join(f"{name}: {count}" for name, count in sorted(outcomes.items()))
            print(f"\nPostgreSQL {version}: {outcomes.total()} kills in {time.monotonic() - begun:.0f} s ({found})")
