"""The landing sensor and its runs: from a file in a folder to rows in PostgreSQL, whatever happens on the way."""

import os
import time
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.defs.resources import resources_for
from taxi_platform.settings import settings
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.asset_runs import Platform, Run
from taxi_platform_tests.support.parquet_files import parquet
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, with_field, zipped

NAME = "green_tripdata_2019-03.csv.gz"
PLAIN = "green_tripdata_2019-03.csv"
PATH = f"/green/{NAME}"


def file(count: int) -> bytes:
    return zipped(text(GREEN, rows(GREEN, count)))


class Landing:
    """The landing folder and its sensor; like the daemon, it passes the cursor of each tick to the next."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self.folder = folder
        self.cursor: str | None = None
        self.summary = ""

    def drop(self, content: bytes, name: str = NAME, *, age: float = 100) -> None:
        """Put a file that was written ``age`` seconds ago into the folder."""
        self.folder.mkdir(exist_ok=True)
        part = self.folder / f".{name}"
        part.write_bytes(content)
        os.utime(part, (time.time() - age, time.time() - age))
        part.rename(self.folder / name)

    def tick(self) -> list[dg.RunRequest]:
        """Evaluate a tick, and return the runs that it requests."""
        definitions = self.platform.definitions()
        with dg.build_sensor_context(
            self.platform.instance,
            cursor=self.cursor,
            repository_def=definitions.get_repository_def(),
            resources={"landing": resources_for(settings())["landing"]},
            sensor_name="landing_sensor",
        ) as context:
            answer = definitions.resolve_sensor_def("landing_sensor").evaluate_tick(context)
        self.cursor = answer.cursor or self.cursor
        self.summary = answer.skip_message or ""
        return list(answer.run_requests or [])

    def run(self) -> list[Run]:
        """Evaluate a tick, and execute the runs that it requests."""
        return [self.platform.run_job(str(request.job_name), request) for request in self.tick()]

    def settle(self) -> list[Run]:
        """Evaluate ticks and execute their runs until a tick requests none."""
        runs: list[Run] = []
        while new := self.run():
            runs += new
        return runs

    def names(self, subfolder: str = ".") -> list[str]:
        """Return the names of the files in the landing folder, or in one of its subfolders."""
        folder = self.folder / subfolder
        return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.exists() else []

    def reason(self, name: str = NAME) -> str:
        return (self.folder / "failed" / f"{name}.reason.txt").read_text()


@pytest.fixture
def landing(server: TripServer, platform: Platform, tmp_path: Path) -> Landing:
    """Return an empty landing folder of a platform whose source publishes nothing."""
    platform.use(TAXI_SOURCE=server.template)
    return Landing(platform, tmp_path / "landing")


def test_a_dropped_file_is_loaded_recorded_and_moved(landing: Landing) -> None:
    assert landing.run() == []
    assert landing.summary == "Nothing was dropped."  # this tick has created the folder
    landing.drop(file(12))
    (run,) = landing.run()
    assert run.succeeded, run.failure
    assert landing.platform.count("green_tripdata", "2019-03") == 12
    raw, table = run.of("raw/green_tripdata", "2019-03"), run.of("green_tripdata", "2019-03")
    assert raw["source"] == table["source"] == str(landing.folder / NAME)
    assert raw["landed"] is True
    assert (raw["rows_in_file"], table["rows_loaded"]) == (12, 12)
    labels = run.labels()
    assert (labels["taxi"], labels["file"], labels["trigger"]) == ("green", PLAIN, "sensor:landing_sensor")
    assert landing.run() == []
    assert landing.summary == f"moved to done: {NAME}"
    assert (landing.names(), landing.names("done")) == ([], [NAME])


def test_a_dropped_parquet_file_is_loaded_and_one_that_is_not_parquet_is_refused(landing: Landing) -> None:
    name = NAME.replace(".csv.gz", ".parquet")
    landing.drop(parquet(GREEN, rows(GREEN, 12)), name)
    (run,) = landing.settle()
    assert run.of("green_tripdata", "2019-03")["source"] == str(landing.folder / name)
    assert landing.platform.count("green_tripdata", "2019-03") == 12
    landing.drop(b"<html>Please log in</html>", name)
    landing.settle()
    assert "it is not a Parquet file, but a web page" in landing.reason(name)
    assert landing.platform.count("green_tripdata", "2019-03") == 12


def test_a_dropped_file_replaces_the_published_one_until_that_is_forced(landing: Landing, server: TripServer) -> None:
    platform = landing.platform
    server.publish(PATH, file(50))
    platform.run("green_tripdata", month="2019-03")
    landing.drop(file(12))
    landing.settle()
    assert platform.count("green_tripdata", "2019-03") == 12
    server.requests.clear()
    assert platform.run("raw/green_tripdata", "green_tripdata", month="2019-03").succeeded
    assert platform.count("green_tripdata", "2019-03") == 12
    assert server.requests == []
    run = platform.run(
        "raw/green_tripdata", "green_tripdata", month="2019-03", config={"raw/green_tripdata": {"force": True}}
    )
    assert run.of("raw/green_tripdata", "2019-03")["source"] == server.url + PATH
    assert platform.count("green_tripdata", "2019-03") == 50


def test_damaged_files_are_moved_with_their_reasons_and_leave_the_table_as_it_was(
    landing: Landing, server: TripServer
) -> None:
    server.publish(PATH, file(50))
    landing.platform.run("green_tripdata", month="2019-03")
    bad_row = text(GREEN, [with_field(GREEN, rows(GREEN, 1)[0], "trip_distance", "far")])
    damaged = {
        NAME: (file(12)[:-20], "the file was cut off"),
        "green_tripdata_2019-04.csv.gz": (b"hunter2", "not a gzip file"),
        "green_tripdata_2019-05.csv": (b"hunter2\nhunter3\n", "the first line names no column of green trips"),
        "green_tripdata_2019-06.csv": (bad_row, "far"),
    }
    for name, (content, _) in damaged.items():
        landing.drop(content, name)
    assert not any(run.succeeded for run in landing.settle())
    assert landing.names("failed") == sorted([*damaged, *(f"{name}.reason.txt" for name in damaged)])
    for name, (_, reason) in damaged.items():
        assert reason in landing.reason(name)
        assert "hunter" not in landing.reason(name)  # content that is not trips is not quoted
        assert landing.reason(name).endswith("Correct that, and drop the file again.\n")
    assert landing.platform.count("green_tripdata") == 50


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notes.txt", "file is not named as published"),
        ("green_tripdata_2018-12.csv.gz", "Set TAXI_FIRST_MONTH=2018-12 or earlier"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_moved_without_a_run(name: str, reason: str, landing: Landing) -> None:
    landing.drop(file(3), name)
    assert landing.run() == []
    assert landing.names("failed") == sorted([name, f"{name}.reason.txt"])
    assert reason in landing.reason(name)


def test_a_month_that_has_not_ended_yet_is_refused(landing: Landing) -> None:
    landing.platform.use(TAXI_LAST_MONTH="2099-12")
    landing.drop(file(3), "green_tripdata_2099-12.csv.gz")
    assert landing.run() == []
    assert "2099-12 has not ended yet." in landing.reason("green_tripdata_2099-12.csv.gz")


def test_the_same_name_dropped_again_and_a_file_moved_back_from_done_are_loaded_again_in_another_folder(
    landing: Landing, tmp_path: Path
) -> None:
    landing.folder = tmp_path / "elsewhere"
    landing.platform.use(TAXI_LANDING=str(landing.folder))
    for count in (12, 7):
        landing.drop(file(count))
        landing.settle()
        assert landing.platform.count("green_tripdata", "2019-03") == count
    assert landing.names("done") == ["green_tripdata_2019-03.2.csv.gz", NAME]
    (landing.folder / "done" / NAME).rename(landing.folder / NAME)
    (run,) = landing.settle()
    assert run.succeeded
    assert landing.platform.count("green_tripdata", "2019-03") == 12


def test_two_files_of_one_month_are_loaded_one_after_the_other_and_the_later_stays(landing: Landing) -> None:
    landing.drop(file(12), NAME, age=200)
    landing.drop(text(GREEN, rows(GREEN, 9)), PLAIN, age=100)
    assert [run.succeeded for run in landing.run()] == [True]
    assert landing.platform.count("green_tripdata", "2019-03") == 12
    landing.settle()
    assert landing.platform.count("green_tripdata", "2019-03") == 9
    assert landing.names("done") == [PLAIN, NAME]
    assert landing.platform.run("green_tripdata", month="2019-03").of("green_tripdata", "2019-03")["unchanged"] is True


def test_a_run_that_was_killed_half_way_has_loaded_nothing_and_counts_as_failed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.drop(file(12))
    (request,) = landing.tick()
    job = landing.platform.definitions().resolve_job_def(str(request.job_name))
    killed = landing.platform.instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    assert landing.tick() == []
    assert landing.summary == f"waiting: {NAME}"
    landing.platform.instance.report_run_failed(killed, "The run's process was killed: password=hunter2")
    assert landing.tick() == []
    assert landing.names("failed") == [NAME, f"{NAME}.reason.txt"]
    assert "The run's process was killed: password=***" in landing.reason()


def test_a_file_stays_and_is_not_loaded_again_if_the_subfolder_cannot_be_created(
    landing: Landing,
) -> None:
    landing.drop(file(12))
    (landing.folder / "done").symlink_to("/nowhere")
    landing.run()
    for _ in range(2):
        assert landing.run() == []
        assert landing.summary.startswith("not moved, the next tick tries again: done: ")
        assert landing.names() == [NAME]
    (landing.folder / "done").unlink()
    assert landing.run() == []
    assert landing.names("done") == [NAME]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("/nowhere/at/all", "TAXI_LANDING=/nowhere/at/all: there is no such folder"),
        ("s3://bucket/prefix", "this kind of address is not supported. Name a folder, or gs://bucket/prefix."),
        ("ftp://ann:pa55word@host/prefix", "TAXI_LANDING=ftp://***@host/prefix: this kind of address is not"),
        ("gs://bucket/prefix", "GCP_PROJECT_ID"),
    ],
)
def test_a_place_that_does_not_exist_is_reported_in_every_tick(setting: str, message: str, landing: Landing) -> None:
    landing.platform.use(TAXI_LANDING=setting)
    assert landing.run() == []
    assert message in landing.summary
