"""Loads for tests: a folder that publishes trip files, the cache of raw files, and a database.

    loads.load(rows(GREEN, 50))                  # published, fetched, verified, loaded
    before = loads.state()
    with pytest.raises(BadRows):
        loads.load(["not a trip"])
    assert loads.state() == before

Every module that uses it defines its own fixture ``loads`` from the fixtures ``tmp_path`` and ``database``.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from taxi_platform.postgres.loader import Loaded, load_month
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, Service
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.published import Published
from taxi_platform_tests.support.trip_texts import APRIL, MARCH, rows

FLUSH = "; select pg_stat_force_next_flush()"  # otherwise the server may report the counters a second later

_PROCESS = """
import logging
import sys
from pathlib import Path
from taxi_platform.trips.months import Month
from taxi_platform.postgres import loader
from taxi_platform.postgres import locking
from taxi_platform.postgres import tables
from taxi_platform.sources.cache import Cache
from taxi_platform.trips.services import SERVICES
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips import reading as trip_files

folder, url, service, month = sys.argv[1:]
files = Cache(Path(folder) / "raw", FolderSource(Path(folder) / "published"))
{prelude}
file = files.get(SERVICES[service], Month.parse(month)).file
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
loaded = loader.load_month(url, file, max_bad_rows=1, force=True)
print("loaded", loaded.rows, flush=True)
"""


class Loads(Published):
    """A test's published files, and the database that its months are loaded into.

    Attributes:
        url: the database.
    """

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.url = url

    def load(
        self,
        content: bytes | Sequence[str] | None = None,
        service: Service = GREEN,
        month: Month = MARCH,
        *,
        max_bad_rows: float = 0,
        force: bool = False,
    ) -> Loaded:
        """Publish the month if there is new content, fetch it, and load it."""
        if content is not None:
            self.publish(content, service, month)
        file = self.fetch(service, month)
        return load_month(self.url, file, max_bad_rows=max_bad_rows, force=force)

    def begin(self, prelude: str = "", service: Service = GREEN, month: Month = MARCH) -> "subprocess.Popen[str]":
        """Start to load the published month in its own process; the prelude is code that may patch the loader there."""
        return subprocess.Popen(
            [
                *(*warm.client_of("dagster"), "python", "-c"),
                _PROCESS.format(prelude=prelude),
                self.folder.parent,
                self.url,
                service.name,
                str(month),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query by an ordinary client; other statements return none."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *parameters: Any) -> Any:
        """Return the only value of a query."""
        ((value,),) = self.ask(query, *parameters)
        return value

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything that a failed load must not change: rows, rejects, records and the names of tables."""
        tables = self.ask(
            "select relname, relkind, relfilenode, relispartition from pg_class "
            "where relnamespace = 'public'::regnamespace and relname not like '%\\_loading' order by relname"
        )
        names = [f"{service.table}{suffix}" for service in SERVICES.values() for suffix in ("", "_rejects")]
        there = {name for name, *_ in tables} & {*names, "tripdata_files"}
        contents = {name: self.ask(f"select t::text from {name} as t order by t::text") for name in sorted(there)}
        return {**contents, "tables": tables}

    def loading_tables(self) -> list[str]:
        """Return the loading tables of unfinished and interrupted loads."""
        return [name for (name,) in self.ask("select relname from pg_class where relname like '%\\_loading'")]

    def locks(self) -> int:
        """Return how many advisory locks are held in this database."""
        return self.one(
            "select count(*) from pg_locks as l join pg_database as d on d.oid = l.database "
            "where l.locktype = 'advisory' and d.datname = current_database()"
        )

    def wait_for_free_locks(self) -> None:
        """Wait until the sessions that hold advisory locks in this database have ended.

        Raises:
            LockNotAvailable: one is still held after ten seconds.
        """
        self.ask(
            "set lock_timeout = '10s'; select pg_advisory_lock((classid::bigint << 32) | objid::bigint) "
            "from pg_locks as l join pg_database as d on d.oid = l.database "
            "where l.locktype = 'advisory' and d.datname = current_database()"
        )


def two_months(folder: Path, url: str) -> Loads:
    """Load two green months of 50 rows, 2019-03 and 2019-04."""
    loads = Loads(folder, url)
    for month in (MARCH, APRIL):
        loads.load(rows(GREEN, 50), month=month)
    return loads
