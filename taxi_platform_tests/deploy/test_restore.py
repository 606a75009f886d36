"""The commands of docs/deploy.md that back up and restore, from one PostgreSQL server to another that is empty."""

import re
import shlex
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from taxi_platform.settings import PROJECT
from taxi_platform_tests.cli.test_status import data
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.postgres_image import PostgresImage
from taxi_platform_tests.support.stack import PASSWORDS
from taxi_platform_tests.support.this_machine import free_ports, is_open


def documented(program: str) -> list[str]:
    """A command of the page, for the database of the trips, without the container and the file."""
    page = (PROJECT / "docs/deploy.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"exec -T postgres ({program} [^<>\n]*)", page)
    return shlex.split(line.replace("$database", "ny_taxi"))


def test_status_says_the_same_after_a_restore_into_an_empty_cluster(backfills: Backfills) -> None:
    backfills.run("green_tripdata", months="2019-01...2019-03")
    before = data()
    assert before["services"]["green"]["rows"] > 0
    with tempfile.TemporaryDirectory(prefix="restore-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "image").mkdir()
        image = PostgresImage(folder / "image")
        (port,) = free_ports(1)
        image.make(["postgres"], port, PASSWORDS, [PROJECT / "deploy/postgres/databases.sh"])
        command = image.server(["postgres"], port)
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL, **image.account.arguments())
        try:
            while not is_open(port):
                assert server.poll() is None
            place = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGPASSWORD": PASSWORDS["POSTGRES_PASSWORD"]}
            run = partial(subprocess.run, env={"PATH": image.search_path, **place}, check=True)
            # The test's database has the tables of both: trips and Dagster's state.
            dump = [backfills.database if word == "ny_taxi" else word for word in documented("pg_dump")]
            with (folder / "dump").open("w+b") as file:
                run([word for word in dump if word not in ("--username", "postgres")], stdout=file)
                file.seek(0)
                run(documented("pg_restore"), stdin=file)
            run(documented("psql"))
            restored = f"postgresql://taxi:{PASSWORDS['TAXI_DB_PASSWORD']}@127.0.0.1:{port}/ny_taxi"
            backfills.use(TAXI_POSTGRES_URL=restored, TAXI_DAGSTER_POSTGRES_URL=restored)
            assert data() == before
        finally:
            server.terminate()
            server.wait()
