"""``taxi status``: what it shows of months that are loaded, failed, changed, in progress or missing."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from click.testing import CliRunner

from taxi_platform.cli.main import taxi
from taxi_platform.settings import PROJECT
from taxi_platform_tests.support.backfills import Backfills
from taxi_platform_tests.support.shell import typed


def shown(*options: str) -> str:
    done = CliRunner().invoke(taxi, ["status", *options], terminal_width=80)
    assert done.exit_code == 0, done.output
    return done.output


def data(*options: str) -> dict[str, Any]:
    return json.loads(shown("--json", *options))


def letters(output: str, service: str) -> list[str]:
    """Return the letters of a service's months, one text per year."""
    return re.findall(rf"^(?:\d{{4}})? +{service}((?: +[MFCP.])+)", output, re.MULTILINE)


def test_before_anything_was_loaded_every_month_is_missing(backfills: Backfills) -> None:
    output = shown()
    assert [line.split() for line in letters(output, "green")] == [["."] * 12, ["."] * 12, ["."] * 7]
    assert ". missing" in output
    assert "green               0 rows        0.0 MiB of files   last run never" in output
    assert max(map(len, output.splitlines())) <= 80
    green = data()["services"]["green"]
    assert (green["rows"], green["file_bytes"], green["last_run"], len(green["months"])) == (0, 0, None, 31)


def test_it_works_as_the_very_first_command(database: str, tmp_path: Path) -> None:
    done = typed("taxi status", tmp_path, TAXI_POSTGRES_URL=database)
    assert done.returncode == 0, done.stdout
    assert "last run never" in done.stdout


def test_every_state_has_a_letter_and_a_line_that_explains_it(backfills: Backfills, tmp_path: Path) -> None:
    backfills.run("green_tripdata", months="2019-01...2019-05")
    (tmp_path / "published").mkdir()
    backfills.use(TAXI_SOURCE=str(tmp_path / "published"))
    backfills.run("green_tripdata", month="2019-06")
    with psycopg.connect(backfills.database) as connection:
        connection.execute("drop table green_tripdata_2019_02")
        connection.execute("truncate green_tripdata_2019_03")
    backfills.instance.create_run_for_job(
        backfills.job,
        asset_selection=frozenset([dg.AssetKey("green_tripdata")]),
        tags={"dagster/asset_partition_range_start": "2019-04", "dagster/asset_partition_range_end": "2019-04"},
        status=dg.DagsterRunStatus.STARTED,
    )
    (tmp_path / "published/green_tripdata_2019-05.csv").write_text("corrected")
    output = shown()
    assert letters(output, "green")[0].split() == list("M..PCF......")
    assert "M materialized  F failed  C file changed  P in progress  . missing" in output
    assert "green 2019-02..2019-03 missing: recorded, but not in the table any more" in output
    assert "green 2019-05 file changed: the source has another version" in output
    assert re.search(r"^green 2019-06 failed: run [0-9a-f]{8}$", output, re.MULTILINE)
    months = data()["services"]["green"]["months"]
    assert [months[f"2019-0{n}"]["state"] for n in range(1, 8)] == [
        "materialized",
        "missing",
        "missing",
        "in progress",
        "file changed",
        "failed",
        "missing",
    ]
    assert months["2019-02"]["rows"] == 0


def test_rows_and_bytes_are_those_of_the_tables(backfills: Backfills, tmp_path: Path) -> None:
    backfills.run("green_tripdata", months="2019-01...2019-02")
    ((rows, size),) = backfills.rows("select sum(rows_loaded)::int, sum(file_bytes)::int from tripdata_files")
    green = data()["services"]["green"]
    assert (green["rows"], green["file_bytes"]) == (rows, size)
    assert size == sum(path.stat().st_size for path in tmp_path.glob("raw/green/*.gz"))
    assert f"{rows:,} rows" in shown()
    assert green["last_run"] == max(month["at"] for month in green["months"].values() if month["at"])


def test_the_names_in_the_json_output_are_those_that_the_page_describes(backfills: Backfills) -> None:
    backfills.run("green_tripdata", month="2019-01")
    found = data()
    assert set(found) == {"daemon_is_alive", "remarks", "services"}
    assert set(found["services"]) == {"green", "yellow", "fhv", "fhvhv"}
    assert set(found["services"]["green"]) == {"rows", "file_bytes", "last_run", "months"}
    month = found["services"]["green"]["months"]["2019-01"]
    assert set(month) == {"state", "rows", "file_bytes", "run_id", "at", "note", "is_partition", "changed_by_hand"}
    page = (PROJECT / "docs/backfills.md").read_text(encoding="utf-8")
    for name in {*found, *found["services"]["green"], *month}:
        assert re.search(rf"[`.]{name}\b", page), name


def test_changes_by_hand_and_values_that_an_older_version_accepted_are_shown(backfills: Backfills) -> None:
    backfills.run("green_tripdata", months="2019-01...2019-03")
    row = "where ctid = (select min(ctid) from {0})"
    backfills.execute(
        "update green_tripdata_2019_02 set vendorid = '2.0' " + row.format("green_tripdata_2019_02"),
        "update tripdata_files set parser = null",
        "delete from green_tripdata_2019_03 " + row.format("green_tripdata_2019_03"),
        "select pg_stat_force_next_flush()",
    )
    output = shown()
    assert letters(output, "green")[0].split()[:3] == ["M", "F", "M"]
    assert "green 2019-02 failed: an older version accepted values in vendorid that are read differently now" in output
    assert "green 2019-02..2019-03 changed by hand: " in output
    months = data()["services"]["green"]["months"]
    assert [months[f"2019-0{month}"]["changed_by_hand"] for month in (1, 2, 3)] == [False, True, True]
    status, lines = backfills.backfill("green", "2019-01..2019-03")
    assert status == 0
    assert lines[0].startswith("  green  2019-02  failed        an older version accepted")
    assert backfills.rows("select vendorid from green_tripdata where vendorid like '%.%'") == []
    assert backfills.run("green_tripdata", month="2019-03").succeeded
    assert "changed by hand" not in shown()


def test_loaded_months_that_the_settings_no_longer_include_are_shown(backfills: Backfills) -> None:
    backfills.run("green_tripdata", months="2019-01...2019-02")
    backfills.use(TAXI_FIRST_MONTH="2019-02", TAXI_LAST_MONTH="2019-03")
    months = data()["services"]["green"]["months"]
    assert {name: (month["state"], month["is_partition"]) for name, month in months.items()} == {
        "2019-01": ("materialized", False),
        "2019-02": ("materialized", True),
        "2019-03": ("missing", True),
    }


def test_without_the_tables_it_shows_dagsters_records_and_a_remark(backfills: Backfills) -> None:
    backfills.run("green_tripdata", month="2019-01")
    backfills.use(TAXI_POSTGRES_URL="postgresql://taxi:5ecret@127.0.0.1:1/nowhere")
    output = shown()
    assert letters(output, "green")[0].split()[0] == "M"
    assert "The tables could not be read, so this is what Dagster recorded." in output
    assert "5ecret" not in output


def test_a_source_that_is_asked_and_does_not_answer_is_an_error(backfills: Backfills, no_waits: list[float]) -> None:
    backfills.run("green_tripdata", month="2019-01")
    backfills.use(TAXI_SOURCE="http://127.0.0.1:1/{service}/{month}.csv.gz")
    assert letters(shown(), "green")[0].split()[0] == "M"
    done = CliRunner().invoke(taxi, ["status", "--ask-source"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")


def commands() -> list[str]:
    """Return the commands of the page about backfills, without those that need Google Cloud."""
    page = (PROJECT / "docs/backfills.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    found = [line.partition("#")[0].strip() for line in lines]
    return [line for line in found if not line.endswith(("--to bigquery", "--cloud"))]


def test_every_command_of_the_page_does_what_it_says(backfills: Backfills) -> None:
    backfills.use(TAXI_SOURCE="sample:0.0001")
    assert {"taxi backfill green 2019-01..2019-12", "taxi status"} <= set(commands())
    for command in commands():
        program, *arguments = shlex.split(command)
        assert program == "taxi"
        done = CliRunner().invoke(taxi, arguments)
        assert done.exit_code == 0, f"{command}\n{done.output}"
    states = data()["services"]
    loaded = {name: [m for m, month in states[name]["months"].items() if month["rows"]] for name in states}
    assert loaded == {
        "green": [*(f"2019-{month:02d}" for month in range(1, 13)), "2021-06", "2021-07"],
        "yellow": ["2019-03", "2021-06", "2021-07"],
        "fhv": ["2021-06", "2021-07"],
        "fhvhv": ["2021-06", "2021-07"],
    }
