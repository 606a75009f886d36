"""``taxi backfill`` on Dagster's state in PostgreSQL: what it loads, prints and exits with."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.execution.backfill import BulkActionStatus
from dagster._daemon.types import DaemonHeartbeat

from taxi_platform.cli.backfill import DONE, NOT_DONE
from taxi_platform.cli.main import taxi
from taxi_platform.ledger.events import daemon_is_alive
from taxi_platform.ledger.plan import make_plan
from taxi_platform.operations import backfill as operation
from taxi_platform.operations.backfill import request_backfills
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.settings import PROJECT
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import partition_months
from taxi_platform.trips.services import GREEN
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.month_records import month_in
from taxi_platform_tests.support.shell import environment, require_activation, script
from taxi_platform_tests.support.trip_server import Answer, Published, TripServer
from taxi_platform_tests.support.trip_texts import rows, text, with_field, zipped

QUARTER = "2019-01..2019-03"


def path(month: str) -> str:
    return f"/green/green_tripdata_{month}.csv.gz"


def file(count: int) -> bytes:
    return zipped(text(GREEN, rows(GREEN, count)))


@pytest.fixture
def published(server: TripServer, backfills: Backfills) -> TripServer:
    """Publish the first half of 2019, with 10, 20 … green trips, on a server that is the platform's source."""
    for month in Month(2019, 1).through(Month(2019, 6)):
        server.publish(path(str(month)), file(10 * month.month))
    backfills.use(TAXI_SOURCE=server.template)
    return server


# What it loads


def test_it_prints_its_plan_and_loads_each_month_once_unless_all_are_chosen(backfills: Backfills) -> None:
    status, output = backfills.backfill("green", QUARTER)
    assert status == DONE
    assert output[:5] == [
        "  green  2019-01  missing",
        "  green  2019-02  missing",
        "  green  2019-03  missing",
        "green 2019-01..2019-03: 3 months to load",
        "No daemon is running, so this process loads them.",
    ]
    assert output[-1].startswith("3 months: 3 loaded (")
    assert backfills.recorded("green_tripdata") == {"2019-01", "2019-02", "2019-03"}
    loaded = backfills.rows("select sum(rows_loaded) from tripdata_files")[0][0]
    assert f"({loaded:,} rows)" in output[-1]
    assert backfills.backfill("green", QUARTER) == (
        DONE,
        ["green 2019-01..2019-03: 0 months to load; left out: 3 loaded already"],
    )
    assert len(backfills.runs()) == 1
    before = backfills.rows("select filename, loaded_at from tripdata_files order by 1")
    status, output = backfills.backfill("green", "2019-03..2019-04", choice="all")
    assert status == DONE
    assert [line.split()[1:] for line in output[:2]] == [["2019-03", "forced"], ["2019-04", "missing"]]
    after = backfills.rows("select filename, loaded_at from tripdata_files order by 1")
    assert [new > old for (_, old), (_, new) in zip(before, after[:3], strict=True)] == [False, False, True]


def test_each_month_is_printed_as_soon_as_it_is_loaded(published: TripServer, backfills: Backfills) -> None:
    _, output = backfills.backfill("green", QUARTER, newest_first=True)
    printed = [line.split() for line in output if " rows in " in line]
    assert [(words[1], words[2]) for words in printed] == [("2019-03", "30"), ("2019-02", "20"), ("2019-01", "10")]
    asked = [request.path[-14:-7] for request in published.requests if request.method == "GET"]
    assert asked == ["2019-03", "2019-02", "2019-01"]


def test_a_dry_run_only_prints_the_plan(backfills: Backfills) -> None:
    status, output = backfills.backfill("green,fhv", "2019-01..2019-02", dry_run=True)
    assert status == DONE
    assert output[-1] == "green,fhv 2019-01..2019-02: 4 months to load"
    assert backfills.runs() == []
    status, output = backfills.backfill("green", "2019-01", dry_run=True, as_json=True)
    assert json.loads("\n".join(output)) == {
        "planned": [{"service": "green", "month": "2019-01", "reason": "missing", "note": ""}],
        "left_out": {},
        "in_progress": [],
        "outcomes": [],
    }


def test_gaps_are_filled_by_a_run_for_each_range_with_the_labels_of_a_backfill(backfills: Backfills) -> None:
    backfills.run("green_tripdata", month="2019-03")
    status, output = backfills.backfill("green", "2019-01..2019-05")
    assert status == DONE
    assert "left out: 1 loaded already" in "\n".join(output)
    labels = [
        {name: run.tags.get(name) for name in ("taxi", "file", "backfill", "trigger")} for run in backfills.runs()
    ]
    assert labels[1:] == [
        {
            "taxi": "green",
            "file": f"green_tripdata_{first}.csv...green_tripdata_{last}.csv",
            "backfill": "true",
            "trigger": "backfill",
        }
        for first, last in (("2019-01", "2019-02"), ("2019-04", "2019-05"))
    ]


# What fails


def test_a_failed_month_does_not_stop_the_others_and_is_printed_with_its_reason(
    published: TripServer, backfills: Backfills
) -> None:
    published.publish(path("2019-02"), file(20)[:-100])
    status, output = backfills.backfill("green", "2019-01..2019-07")
    assert status == NOT_DONE
    assert "7 months: 5 loaded (190 rows), 2 failed" in output
    (bad, absent) = [line for line in output if " failed: " in line]
    assert bad.startswith("  green 2019-02 failed: ")
    assert "cut off" in bad
    assert absent.startswith("  green 2019-07 failed: ")
    assert "404" in absent
    assert backfills.recorded("green_tripdata") == {f"2019-0{month}" for month in (1, 3, 4, 5, 6)}
    status, output = backfills.backfill("green", "2019-01..2019-02", as_json=True)
    data = json.loads("\n".join(output))
    assert status == NOT_DONE
    assert (data["planned"][0]["reason"], data["left_out"]) == ("failed", {"materialized": 1})
    (outcome,) = data["outcomes"]
    assert "cut off" in outcome.pop("reason")
    assert outcome == {"service": "green", "month": "2019-02", "outcome": "failed", "rows": 0}


def test_failed_months_alone_are_tried_again_and_the_source_is_asked_for_a_corrected_file(
    published: TripServer, backfills: Backfills
) -> None:
    bad = rows(GREEN, 20)
    bad[3] = with_field(GREEN, bad[3], "trip_distance", "far")
    published.publish(path("2019-02"), zipped(text(GREEN, bad)))
    assert backfills.backfill("green", "2019-01..2019-02")[0] == NOT_DONE
    published.publish(path("2019-02"), Published(file(21), etag='"v2"'))
    status, output = backfills.backfill("green", "2019-01..2019-03", choice="failed")
    assert status == DONE
    assert output[0].startswith("  green  2019-02  failed        run ")
    assert output[1] == "green 2019-01..2019-03: 1 month to load; left out: 1 loaded already, 1 missing"
    assert backfills.count("green_tripdata", "2019-02") == 21
    assert backfills.count("green_tripdata", "2019-03") == 0


def test_changed_files_newer_raw_files_and_dropped_partitions_are_loaded_again(
    published: TripServer, backfills: Backfills
) -> None:
    backfills.backfill("green", QUARTER)
    published.publish(path("2019-02"), Published(file(7), etag='"v2"'))
    assert backfills.backfill("green", QUARTER)[1][-1].endswith("0 months to load; left out: 3 loaded already")
    status, output = backfills.backfill("green", QUARTER, ask_source=True)
    assert status == DONE
    assert output[0] == "  green  2019-02  file changed  the source has another version"
    assert backfills.count("green_tripdata") == 10 + 7 + 30
    assert backfills.backfill("green", QUARTER, ask_source=True)[1][-1].startswith("green 2019-01..2019-03: 0 months")
    published.publish(path("2019-02"), Published(file(8), etag='"v3"'))
    backfills.run("raw/green_tripdata", month="2019-02")
    backfills.execute("drop table green_tripdata_2019_03")
    _, output = backfills.backfill("green", QUARTER)
    assert output[:2] == [
        "  green  2019-02  file changed  the raw file is newer than the table",
        "  green  2019-03  missing       recorded, but not in the table any more",
    ]
    assert [backfills.count("green_tripdata", f"2019-0{month}") for month in (1, 2, 3)] == [10, 8, 30]


# What is in progress


def test_months_that_wait_for_a_daemon_are_not_loaded_a_second_time(backfills: Backfills) -> None:
    wanted = [month_in("missing", Month(2019, month)) for month in (1, 3)]
    (backfill,) = request_backfills(backfills.instance, backfills.definitions(), make_plan(wanted, "missing"))
    status, output = backfills.backfill("green", QUARTER)
    assert status == NOT_DONE
    assert f"green {QUARTER}: 1 month to load; left out: 2 in progress (backfill {backfill})" in output
    assert "Not waited for, because no daemon is running: 2 months in progress." in output
    assert backfills.recorded("green_tripdata") == {"2019-02"}


# A daemon that stopped


@pytest.fixture
def silent(backfills: Backfills) -> Backfills:
    """Return the platform with a daemon that wrote its last heartbeat a minute ago."""
    heartbeat = DaemonHeartbeat(time.time() - 60, "BACKFILL", None, None)
    backfills.instance.add_daemon_heartbeat(heartbeat)
    return backfills


def test_a_daemon_without_heartbeats_is_not_waited_for_forever(
    silent: Backfills, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "TIMEOUT_SECONDS", 1.0)
    status, output = silent.backfill("green", QUARTER)
    assert status == NOT_DONE
    no_heartbeat = r"The daemon has written no heartbeat for \d+ s\. Start it to go on: dagster-daemon run"
    assert re.search(no_heartbeat, output[-5])
    assert output[-4] == "3 months: 0 loaded (0 rows), 3 not finished"
    assert output[-1] == "  green 2019-03 unfinished: a run or a backfill is still to load it"
    assert silent.backfill("green", QUARTER, dry_run=True)[1][0].startswith("green 2019-01..2019-03: 0 months to load")


def test_a_backfill_that_somebody_cancelled_is_reported_as_cancelled(
    silent: Backfills, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(_seconds: float) -> None:
        for backfill in silent.instance.get_backfills():
            silent.instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))

    monkeypatch.setattr("taxi_platform.retries.sleep", cancel)
    status, output = silent.backfill("green", "2019-03")
    assert status == NOT_DONE
    assert output[-2:] == [
        "1 month: 0 loaded (0 rows), 1 cancelled",
        "  green 2019-03 cancelled: no run was made for it",
    ]


# Interrupted


def started(tmp_path: Path, database: str, source: str, months: str) -> "subprocess.Popen[str]":
    """Start the command in its own process."""
    require_activation()
    return subprocess.Popen(
        script(f"exec taxi backfill green {months}"),
        cwd=PROJECT,
        env=environment(tmp_path, TAXI_SOURCE=source, TAXI_POSTGRES_URL=database),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until_loaded(process: "subprocess.Popen[str]", month: str) -> str:
    """Read the process's output until it reports that a month is loaded, and return it."""
    output = ""
    assert process.stdout
    while not re.search(rf"{month} .* rows", output):
        line = process.stdout.readline()
        assert line, output
        output += line
    return output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_months_are_left_to_a_running_process_and_the_same_command_continues_after_its_end(
    number: signal.Signals, published: TripServer, backfills: Backfills, tmp_path: Path
) -> None:
    published.script(path("2019-03"), Answer(delay=60))
    process = started(tmp_path, backfills.database, published.template, "2019-01..2019-04")
    output = until_loaded(process, "2019-02")
    if number == signal.SIGKILL:
        status, lines = backfills.backfill("green", "2019-01..2019-04")
        assert status == NOT_DONE
        assert "0 months to load; left out: 4 in progress (run " in lines[0]
        assert [run.status for run in backfills.runs()] == [dg.DagsterRunStatus.STARTED]
    process.send_signal(number)
    output += process.communicate(timeout=180)[0]
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        lines = backfills.backfill("green", "2019-01..2019-04", dry_run=True)[1]
        assert [line.split()[1:3] for line in lines[:4]] == [[f"2019-0{month}", "failed"] for month in range(1, 5)]
    else:
        assert process.returncode == 130
        assert "Interrupted. 2 of 4 months are in place." in output
        assert "They stay. The same command goes on with the others." in output
        assert backfills.recorded("green_tripdata") == {"2019-01", "2019-02"}
        assert [run.status for run in backfills.runs()] == [dg.DagsterRunStatus.CANCELED]
    before = len(published.requests)
    status, lines = backfills.backfill("green", "2019-01..2019-04")
    assert status == DONE, lines
    fetched = {request.path[-14:-7] for request in published.requests[before:] if request.method == "GET"}
    assert fetched == {"2019-03", "2019-04"}
    assert backfills.recorded("green_tripdata") == {f"2019-0{month}" for month in range(1, 5)}
    assert backfills.count("green_tripdata") == 10 + 20 + 30 + 40
    assert all(run.is_finished for run in backfills.runs())


# Arguments, partitions and heartbeats


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("red 2019-01", "Error: 'red': there is no such service. Write green, yellow, fhv, fhvhv or all.\n"),
        ("green 2019-12..2019-01", "Error: '2019-12..2019-01': the first month lies after the last."),
        ("green 2019-13", "Error: MONTHS: there is no month 2019-13. A range is"),
        ("green 2018-12", "green has 2019-01 to 20"),
    ],
)
def test_invalid_arguments_end_with_one_line_and_status_2(arguments: str, message: str) -> None:
    done = CliRunner().invoke(taxi, ["backfill", *arguments.split()])
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.splitlines()) == 1


def test_the_months_that_can_be_loaded_are_dagsters_partitions(backfills: Backfills) -> None:
    for last in ("", "2099-12"):
        backfills.use(TAXI_LAST_MONTH=last)
        assert [str(month) for month in partition_months(GREEN)] == monthly_partitions(GREEN).get_partition_keys()


def test_a_daemon_is_alive_while_it_writes_heartbeats(backfills: Backfills, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not daemon_is_alive(backfills.instance)
    for seconds, alive in ((70, True), (80, False)):
        heartbeat = DaemonHeartbeat(time.time() - seconds, "BACKFILL", None, None)
        backfills.instance.add_daemon_heartbeat(heartbeat)
        assert daemon_is_alive(backfills.instance) is alive
