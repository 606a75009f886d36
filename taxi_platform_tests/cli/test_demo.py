"""``taxi demo``: what it says and leaves, with a source that answers and with one that does not."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from taxi_platform.cli.emulators import Addresses
from taxi_platform.postgres.embedded.server import EmbeddedServer
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.shell import environment, recorded, require_activation, script, typed
from taxi_platform_tests.support.trip_server import TripServer
from taxi_platform_tests.support.trip_texts import rows, text, zipped

NOWHERE = "http://127.0.0.1:1/{service}_tripdata_{month}.csv.gz"
YEAR = {str(month) for month in Month(2019, 1).through(Month(2019, 12))}
TABLES = ("green_tripdata", "yellow_tripdata", "fhv_tripdata")


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder; the servers that the demo leaves running in it are stopped."""
    yield tmp_path
    for server in (tmp_path / "postgres", tmp_path / "sample/postgres"):
        if server.exists():
            EmbeddedServer(server).stop()


def told(output: str) -> dict[str, int]:
    """The rows of each table by the demo's summary."""
    return {name: int(count.replace(",", "")) for name, count in re.findall(r"^  (\w+)\s+([\d,]+) rows ", output, re.M)}


def test_without_its_source_it_loads_the_sample_apart_and_recognises_it_later(data: Path) -> None:
    first = typed("taxi demo --scale 0.0001", data, TAXI_SOURCE=NOWHERE)
    assert first.returncode == 0, first.stdout
    lines = first.stdout.splitlines()
    assert lines[0] == f"Asking the source for green_tripdata_2019-01.csv: {NOWHERE}"
    assert lines[1].startswith("It cannot be used: ")
    assert "connection refused" in lines[1]
    assert lines[2] == "Loading the built-in sample instead: made-up trips, kept apart from real ones."
    counts = told(first.stdout)
    assert counts.pop("taxi_zone_lookup") == 265
    assert set(counts) == set(TABLES)
    with psycopg.connect(EmbeddedServer(data / "sample/postgres").url()) as connection:
        for table, rows_told in counts.items():
            loaded = connection.execute(f"select count(*), count(distinct filename) from {table}".encode()).fetchone()
            assert loaded == (rows_told, 12)
    assert f"raw files and Dagster's state under {data}/sample" in first.stdout
    state = EmbeddedServer(data / "sample/postgres").url().replace("/ny_taxi", "/dagster")
    assert all(recorded(state, table) == YEAR for table in TABLES)
    assert not (data / "raw").exists()
    assert not (data / "postgres").exists()
    assert re.search(r"in all +[\d,]+ rows in [\d.]+ s", first.stdout)
    assert len(re.findall(r" rows in +[\d.]+ s, +[\d,]+ rows/s", first.stdout)) == 4
    assert re.search(r"^  models of 12 months built, and the page made of them, in [\d.]+ s$", first.stdout, re.M)
    report = data / "sample/reports/trips.html"
    assert f"What it looks like: open {report}\n" in first.stdout
    page = report.read_text()
    assert "2019-01 to 2019-12 · green taxi, yellow taxi, for-hire vehicle" in page
    assert "The trips are made up" in page
    assert "the models differ from the table" not in page
    assert "dbt" not in first.stdout

    second = typed("taxi demo --scale 0.0001", data, TAXI_SOURCE=NOWHERE)
    assert second.returncode == 0
    assert told(second.stdout) == told(first.stdout)
    assert len(re.findall(r"were already there \(12 months, checked in [\d.]+ s\)", second.stdout)) == 3
    assert re.search(r"^  models were there already, and the page made of them, in ", second.stdout, re.M)

    # What it says to type next leads to the very data that it has loaded.
    (export,) = (line for line in second.stdout.splitlines() if line.startswith("export "))
    said = f"{export}\ntaxi url\necho $DAGSTER_HOME ${{TAXI_DAGSTER_POSTGRES_URL:-embedded}}"
    follow = typed(said, data, TAXI_POSTGRES_URL="postgresql://my/own").stdout
    assert follow.split() == [
        EmbeddedServer(data / "sample/postgres").url().partition("?")[0],
        f"{data}/sample/dagster",
        "embedded",
    ]


def test_from_its_source_it_loads_the_green_year_and_what_failed_at_first_the_next_time(
    data: Path, server: TripServer, database: str
) -> None:
    *published, december = Month(2019, 1).through(Month(2019, 12))
    for month in published:
        server.publish(f"/green/green_tripdata_{month}.csv.gz", zipped(text(GREEN, rows(GREEN, 10))))
    source = server.template.replace("//", "//ann:pa55word@")

    failed = typed("taxi demo", data, TAXI_SOURCE=source, TAXI_POSTGRES_URL=database)

    assert failed.returncode == 1
    assert failed.stdout.splitlines()[1] == "It answers: loading the green trips of 2019 from it."
    assert "1 of 12 months of green failed. The other 11 are in place and recorded." in failed.stdout
    assert "2019-12: green_tripdata_2019-12.csv.gz" in failed.stdout
    assert recorded(database, "green_tripdata") == YEAR - {"2019-12"}
    assert told(failed.stdout)["green_tripdata"] == 110
    assert "failed: public.taxi_zone_lookup: the models need the zones, and they are not loaded." in failed.stdout
    page = (data / "reports/trips.html").read_text()
    assert "the models differ from the table in 2019-01 to 2019-11" in page
    assert "Nothing is in the models yet." in page

    server.publish(f"/green/green_tripdata_{december}.csv.gz", zipped(text(GREEN, rows(GREEN, 20))))
    server.publish("/misc/taxi_zone_lookup.csv", b"LocationID,Borough,Zone,service_zone\n1,EWR,Newark Airport,EWR\n")
    done = typed("taxi demo", data, TAXI_SOURCE=source, TAXI_POSTGRES_URL=database)

    assert done.returncode == 0, done.stdout
    assert told(done.stdout) == {"taxi_zone_lookup": 1, "green_tripdata": 130}
    assert recorded(database, "green_tripdata") == YEAR
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from green_tripdata").fetchone() == (130,)
        assert connection.execute("select count(*) from yellow_tripdata").fetchone() == (0,)  # for the models
    for output in (failed.stdout, done.stdout):
        assert "sample" not in output
        assert "pa55word" not in output
    assert not (data / "sample").exists()


# On emulators of Google Cloud


def emulators_of(data: Path) -> list[psutil.Process]:
    """The emulators that keep what they hold under a data folder."""
    folder = str(data / "sample/google")
    return [one for one in psutil.process_iter(["cmdline"]) if folder in " ".join(one.info["cmdline"] or [])]


def test_the_cloud_branch_goes_through_emulators_which_end_and_know_the_months_the_next_time(
    data: Path, emulators: Addresses
) -> None:
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


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGHUP], ids=lambda end: end.name)
def test_the_emulators_end_with_a_demo_that_is_interrupted(
    end: signal.Signals, data: Path, emulators: Addresses
) -> None:
    demo = begin_the_cloud_demo(data)
    os.killpg(demo.pid, end)
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
    """A demo whose emulators answer by now, in a process group of its own, as a terminal makes it."""
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
