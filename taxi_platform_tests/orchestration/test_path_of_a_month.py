"""How many files of the package a reader has to follow from an asset's body to the first COPY."""

import inspect
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from unittest.mock import patch

import taxi_platform
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

FOLDER = f"{Path(taxi_platform.__file__).parent}/"
MOST_WITH_A_URL = 14
MOST_WITH_A_SERVER_TO_START = 17

# What a reader already knows or does not need: settings and resources, Dagster's state, and value types.
NOT_COUNTED = {
    "cli/main.py",  # shows logs, where an earlier test has run a command in this process
    "settings.py",
    "errors.py",
    "redaction.py",
    "retries.py",
    "dagster_private.py",
    "defs/resources.py",
    "ledger/event_metadata.py",
    "ledger/heartbeats.py",
    "ledger/run_tags.py",
    "orchestration/storage.py",
    "orchestration/database.py",
    "trips/columns.py",
    "trips/files.py",
    "trips/keys.py",
    "trips/months.py",
    "trips/partitions.py",
    "trips/services.py",
}


@contextmanager
def functions_followed() -> Iterator[list[str]]:
    """Record the files in which functions run, in all threads, from the asset's body to the first COPY."""
    files: list[str] = ["defs/trips.py"]
    ended: list[bool] = []
    seen: set[CodeType] = set()

    def follow(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if ended:
            sys.setprofile(None)  # tracing is slow
        elif event == "call" and code not in seen:
            seen.add(code)
            if not code.co_filename.startswith(FOLDER) or not code.co_flags & inspect.CO_OPTIMIZED:
                return  # the body of a module or of a class is not a function
            name = code.co_filename.removeprefix(FOLDER)
            if name not in files and name not in NOT_COUNTED:
                files.append(name)
            if (name, code.co_name) == ("postgres/loader.py", "copy_into"):
                ended.append(True)

    def begin(*_: object) -> None:
        threading.setprofile(follow)
        sys.setprofile(follow)

    try:
        with patch("taxi_platform.defs.trips.label_run", begin):  # what the asset's body calls first
            yield files
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert ended, "no row was copied"


def load_one_month(server: TripServer, platform: Platform, **settings: str) -> list[str]:
    server.publish("/green/green_tripdata_2019-03.csv.gz", zipped(text(GREEN, rows(GREEN, 50))))
    platform.use(TAXI_SOURCE=server.template, **settings)
    with functions_followed() as files:
        assert platform.run("green_tripdata", month="2019-03").succeeded
    return files


def test_a_month_passes_few_files_from_the_asset_to_copy(server: TripServer, platform: Platform) -> None:
    files = load_one_month(server, platform)
    assert len(files) <= MOST_WITH_A_URL, " ".join(files)


def test_starting_the_embedded_server_takes_three_more(server: TripServer, platform: Platform, tmp_path: Path) -> None:
    try:
        files = load_one_month(server, platform, TAXI_POSTGRES_URL="")
    finally:
        EmbeddedServer(tmp_path / "postgres").stop()
    assert len(files) <= MOST_WITH_A_SERVER_TO_START, " ".join(files)
