"""A folder with an embedded server and generated files for one run of the benchmarks; removed afterwards."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from taxi_platform.postgres import tables
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.settings import PROJECT, settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.folder import FolderSource
from taxi_platform.trips.files import TripFile
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service


@dataclass(frozen=True)
class Workbench:
    """The files and the server of the measurements.

    Attributes:
        folder: the data directory: published files, raw files, the server, Dagster's state.
        url: the URL of the server's database.
        psql: the server's own ``psql``.
        environment: the environment of child processes, with this server and folder, whatever ``.env`` says.
        rows: the number of rows of each generated file.
    """

    folder: Path
    url: str
    psql: Path
    environment: dict[str, str]
    rows: dict[Path, int] = field(default_factory=dict[Path, int])

    @property
    def published(self) -> Path:
        """The folder that is used as the source."""
        return self.folder / "published"

    def publish(self, service: Service, month: Month, rows: int) -> None:
        """Generate a file in the source's folder, unless it exists with as many rows."""
        path = self.published / f"{service.file_name(month)}.gz"
        if self.rows.get(path) != rows:
            self.rows[path] = rows
            # In a separate process, so that neither numpy nor its memory is in the measuring process.
            self.run("-m", "benchmarks.publish", service.name, str(month), str(rows), str(path))

    def file(self, service: Service, month: Month, rows: int) -> TripFile:
        """Return a generated file, verified and cached as its raw asset does."""
        self.publish(service, month, rows)
        return Cache(self.folder / "raw", FolderSource(self.published)).get(service, month).file

    def run(self, *arguments: str) -> str:
        """Run Python with these arguments on this data, and return what it printed."""
        outcome = subprocess.run(
            [sys.executable, *arguments], env=self.environment, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        if outcome.returncode:
            raise RuntimeError(f"python {' '.join(arguments)} failed:\n{outcome.stdout}{outcome.stderr}")
        return outcome.stdout

    def seconds(self, *arguments: str) -> float:
        """Return the seconds that Python takes with these arguments, from start to end of the process."""
        started = time.perf_counter()
        self.run(*arguments)
        return time.perf_counter() - started

    def pour(self, path: Path, *statements: str) -> float:
        """Return the seconds of ``zcat FILE | psql``, where one of the statements copies from psql's input."""
        commands = [part for statement in statements for part in ("-c", statement)]
        started = time.perf_counter()
        with subprocess.Popen(["zcat", path], stdout=subprocess.PIPE) as zcat:
            subprocess.run(
                [self.psql, "-qX", "-v", "ON_ERROR_STOP=1", *commands],
                stdin=zcat.stdout,
                env=self.environment,
                check=True,
            )
        return time.perf_counter() - started

    def empty(self, *more: str) -> None:
        """Drop the tables of all trips and these further tables, and write all data to disk."""
        everything = [tables.FILES, *(tables.table_of(service) for service in SERVICES.values()), *more]
        with connect(self.url) as connection:
            for table in everything:
                execute(connection, f"drop table if exists {table if '.' in table else tables.qualified(table)}")
            execute(connection, "checkpoint")
        os.sync()


@contextmanager
def workbench() -> Iterator[Workbench]:
    """Create the folder and start the server; at the end, even after an error, stop it and delete the folder."""
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=settings().data_dir))
    folder.chmod(0o755)  # the server may run as another user
    server = EmbeddedServer(folder / "postgres")
    try:
        (folder / "published").mkdir()
        (folder / "dagster").mkdir()
        (folder / "dagster" / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
        url = server.start()
        psql, where = server.psql()
        yield Workbench(folder, url, psql, _environment(folder, url) | where)
    finally:
        server.stop()
        shutil.rmtree(folder)


def _environment(folder: Path, url: str) -> dict[str, str]:
    own = {
        "TAXI_SOURCE": str(folder / "published"),
        "TAXI_DATA_DIR": str(folder),
        "TAXI_POSTGRES_URL": url,
        "TAXI_DAGSTER_POSTGRES_URL": "",  # empty: the default, a database in the same server
        "TAXI_FIRST_MONTH": "2019-01",
        "TAXI_LAST_MONTH": "2021-07",
        "TAXI_ON_BAD_ROWS": "fail",
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    return {**os.environ, **own}


def describe(bench: Workbench) -> str:
    """Return a description of the machine in one line."""
    with connect(bench.url) as connection:
        (version,) = execute(connection, "show server_version").fetchone() or ("?",)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{os.cpu_count()} processors, {memory:.0f} GiB of memory, PostgreSQL {version}, Python {python}"
