"""``taxi demo``: what it prints and leaves behind, with a source that answers and with one that does not.

It runs in this process, and loads two or three months instead of the year that `make demo` loads.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import psutil
import psycopg
import pytest
from click.testing import CliRunner, Result

from deploy.emulators.servers import Addresses
from taxi_platform.cli import demo as demo_of_a_year
from taxi_platform.cli.demo_runs import execute, reasons
from taxi_platform.cli.main import taxi, use_instance
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.settings import PROJECT, settings
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support import warm
from taxi_platform_tests.support.shell import environment, recorded, require_activation, script, typed
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

NOWHERE = "http://127.0.0.1:1/{service}_tripdata_{month}.csv.gz"
LAST = Month(2019, 3)
QUARTER = {str(month) for month in Month(2019, 1).through(LAST)}
TABLES = ("green_tripdata", "yellow_tripdata", "fhv_tripdata", "fhvhv_tripdata")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Yield a data folder, and stop the servers that the demo leaves running in it."""
    data = tmp_path / "my data"
    yield data
    for server in (data / "postgres", data / "sample/postgres"):
        if server.exists():
            EmbeddedServer(server).stop()


@pytest.fixture
def demo(data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs the command with its arguments, and settings by name."""
    monkeypatch.setattr(demo_of_a_year, "LAST", LAST)
    warm.use_for_dbt(monkeypatch)

    def run(*arguments: str, **values: str) -> Result:
        with patch.dict(os.environ, environment(data, **values)):
            settings.cache_clear()
            use_instance(data / "dagster")
            try:
                return CliRunner().invoke(taxi, ["demo", *arguments])
            finally:
                settings.cache_clear()

    return run


def rows_by_table(output: str) -> dict[str, int]:
    """Return the rows of each table in the demo's summary."""
    return {name: int(count.replace(",", "")) for name, count in re.findall(r"^  (\w+)\s+([\d,]+) rows ", output, re.M)}


def test_without_its_source_it_loads_the_sample_separately_and_recognises_it_the_next_time(
    data: Path, demo: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_of_a_year, "LAST", Month(2019, 2))
    first = demo("--scale", "0.0001", TAXI_SOURCE=NOWHERE)
    assert first.exit_code == 0, first.output
    lines = first.output.splitlines()
    assert lines[0] == f"Asking the source for green_tripdata_2019-01.csv: {NOWHERE}"
    assert lines[1].startswith("It cannot be used: ")
    assert "refused" in lines[1]
    assert lines[2] == "Loading the built-in sample instead: made-up trips, kept apart from real ones."
    counts = rows_by_table(first.output)
    assert counts.pop("taxi_zone_lookup") == 265
    assert set(counts) == set(TABLES)
    with psycopg.connect(EmbeddedServer(data / "sample/postgres").url()) as connection:
        for table, rows_printed in counts.items():
            loaded = connection.execute(f"select count(*), count(distinct filename) from {table}".encode()).fetchone()
            assert loaded == (rows_printed, 2)
    assert f"raw files and Dagster's state under {data}/sample" in first.output
    state = EmbeddedServer(data / "sample/postgres").url().replace("/ny_taxi", "/dagster")
    assert all(recorded(state, table) == {"2019-01", "2019-02"} for table in TABLES)
    assert not (data / "raw").exists()
    assert not (data / "postgres").exists()
    assert re.search(r"in all +[\d,]+ rows in [\d.]+ s", first.output)
    assert len(re.findall(r" rows in +[\d.]+ s, +[\d,]+ rows/s", first.output)) == 1 + len(TABLES)
    assert re.search(r"^  models of 2 months built, and the page made of them, in [\d.]+ s$", first.output, re.M)
    report = data / "sample/reports/trips.html"
    assert f"What it looks like: open '{report}'\n" in first.output
    page = report.read_text()
    assert "2019-01 to 2019-02 · green taxi, yellow taxi, for-hire vehicle" in page
    assert "The trips are made up" in page
    assert "the models differ from the table" not in page
    assert "dbt" not in first.output

    second = demo("--scale", "0.0001", TAXI_SOURCE=NOWHERE)
    assert second.exit_code == 0
    assert rows_by_table(second.output) == rows_by_table(first.output)
    assert len(re.findall(r"were already there \(2 months, checked in [\d.]+ s\)", second.output)) == len(TABLES)
    assert re.search(r"^  models were there already, and the page made of them, in ", second.output, re.M)

    # The commands that it prints at the end lead to the data that it has loaded.
    (export,) = (line for line in second.output.splitlines() if line.startswith("export "))
    commands = f"{export}\ntaxi url\necho $DAGSTER_HOME ${{TAXI_DAGSTER_POSTGRES_URL:-embedded}}"
    follow = typed(commands, data, TAXI_POSTGRES_URL="postgresql://my/own").stdout
    url = EmbeddedServer(data / "sample/postgres").url().partition("?")[0]
    assert follow.splitlines() == [url, f"{data}/sample/dagster embedded"]


def test_from_its_source_it_loads_green_months_and_the_next_time_those_that_failed(
    data: Path, demo: Callable[..., Result], server: TripServer, database: str
) -> None:
    *published, last = Month(2019, 1).through(LAST)
    for month in published:
        server.publish(f"/green/green_tripdata_{month}.csv.gz", zipped(text(GREEN, rows(GREEN, 10))))
    source = server.template.replace("//", "//ann:pa55word@")

    failed = demo(TAXI_SOURCE=source, TAXI_POSTGRES_URL=database)

    assert failed.exit_code == 1
    assert failed.output.splitlines()[1] == "It answers: loading the green trips of 2019 from it."
    assert "1 of 3 months of green failed. The other 2 are in place and recorded." in failed.output
    assert "2019-03: green_tripdata_2019-03.csv.gz" in failed.output
    assert recorded(database, "green_tripdata") == QUARTER - {"2019-03"}
    assert rows_by_table(failed.output)["green_tripdata"] == 20
    assert "failed: public.taxi_zone_lookup: the models need the zones, and they are not loaded." in failed.output
    page = (data / "reports/trips.html").read_text()
    assert "the models differ from the table in 2019-01 to 2019-02" in page
    assert "Nothing is in the models yet." in page

    server.publish(f"/green/green_tripdata_{last}.csv.gz", zipped(text(GREEN, rows(GREEN, 20))))
    server.publish("/misc/taxi_zone_lookup.csv", b"LocationID,Borough,Zone,service_zone\n1,EWR,Newark Airport,EWR\n")
    done = demo(TAXI_SOURCE=source, TAXI_POSTGRES_URL=database)

    assert done.exit_code == 0, done.output
    assert rows_by_table(done.output) == {"taxi_zone_lookup": 1, "green_tripdata": 40}
    assert recorded(database, "green_tripdata") == QUARTER
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from green_tripdata").fetchone() == (40,)
        assert connection.execute("select count(*) from yellow_tripdata").fetchone() == (0,)  # for the models
    for output in (failed.output, done.output):
        assert "sample" not in output
        assert "pa55word" not in output
    assert not (data / "sample").exists()


def test_a_failed_run_is_explained_by_its_root_error_and_a_successful_one_is_not_explained() -> None:
    @dg.op
    def fails() -> None:
        try:
            raise ValueError("the root")
        except ValueError as error:
            raise RuntimeError("around it") from error

    @dg.job
    def failing() -> None:
        fails()

    with dg.DagsterInstance.ephemeral() as instance:
        failed = failing.execute_in_process(instance=instance, raise_on_error=False)
        assert reasons(instance, failed) == ["ValueError: the root"]
        assert reasons(instance, dg.job(name="done")(lambda: None).execute_in_process(instance=instance)) == []


def test_ctrl_c_ends_the_demo_and_its_run_counts_as_cancelled() -> None:
    @dg.asset
    def slow() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(600):
            time.sleep(0.1)

    job = dg.Definitions([slow]).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(KeyboardInterrupt):
            execute(job, instance, [slow.key], None)
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]


# On emulators of Google Cloud


def emulators_of(data: Path) -> list[psutil.Process]:
    """Return the emulators that keep their content under a data folder."""
    folder = str(data / "sample/google")
    return [one for one in psutil.process_iter(["cmdline"]) if folder in " ".join(one.info["cmdline"] or [])]


def test_the_cloud_demo_uses_emulators_that_end_with_it_and_keep_its_months(data: Path, emulators: Addresses) -> None:
    mine = {
        "GCP_PROJECT_ID": "my-own-123456",
        "TAXI_FIRST_MONTH": "2020-01",
        "TAXI_POSTGRES_URL": "postgresql://my/own",
    }
    first = typed("taxi demo-cloud --scale 0.0001", data, **mine)
    assert first.returncode == 0, first.stdout
    uploaded = re.search(r"^  gcs/green_tripdata +([\d,]+) rows in ", first.stdout, re.M)
    loaded = re.search(r"^  bigquery/green_tripdata +([\d,]+) rows in ", first.stdout, re.M)
    shown = re.findall(r"^green_tripdata_2019-0(\d)\.csv +([\d,]+) +([\d,]+) +[\d,.]+$", first.stdout, re.M)
    assert uploaded is not None
    assert loaded is not None
    assert [month for month, _, _ in shown] == ["1", "2", "3"]
    assert all(trips == ids for _, trips, ids in shown)
    assert uploaded[1] == loaded[1] == f"{sum(int(trips.replace(',', '')) for _, trips, _ in shown):,}"
    assert "my-own" not in first.stdout
    assert emulators_of(data) == []
    assert not (data / "raw").exists()

    second = typed("taxi demo-cloud --scale 0.0001", data)
    assert len(re.findall(r"were already there \(3 months, checked in [\d.]+ s\)", second.stdout)) == 2
    assert second.stdout.partition("In ")[2] == first.stdout.partition("In ")[2]
    assert emulators_of(data) == []


def test_the_emulators_end_with_a_demo_whose_terminal_is_closed(data: Path, emulators: Addresses) -> None:
    demo = begin_the_cloud_demo(data)
    os.killpg(demo.pid, signal.SIGHUP)
    assert demo.wait(60) != 0
    assert emulators_of(data) == []


def test_what_a_killed_demo_leaves_is_ended_by_taxi_stop_and_another_demo_has_to_wait(
    data: Path, emulators: Addresses
) -> None:
    demo = begin_the_cloud_demo(data)
    other = typed("taxi demo-cloud", data)
    assert other.returncode == 2
    assert "another one is running. Wait until it has ended." in other.stdout
    os.killpg(demo.pid, signal.SIGKILL)
    demo.wait(60)
    assert len(emulators_of(data)) == 2
    assert typed("taxi stop", data).returncode == 0
    assert emulators_of(data) == []


def begin_the_cloud_demo(data: Path) -> "subprocess.Popen[str]":
    """Start a demo in its own process group, as a terminal does, and wait until its emulators answer."""
    require_activation()
    demo = subprocess.Popen(
        script("exec taxi demo-cloud"),
        cwd=PROJECT,
        env=environment(data),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    assert any("Emulators answer" in line for line in iter(demo.stdout.readline, ""))
    return demo
