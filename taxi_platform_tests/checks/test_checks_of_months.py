"""The checks as Dagster runs them: which results are recorded, which assets they block, and how they fail."""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from taxi_platform.checks.facts import SAMPLE
from taxi_platform.checks.rules import FEW
from taxi_platform.orchestration import check_results as recording
from taxi_platform.postgres import loader
from taxi_platform.retries import ONCE
from taxi_platform.trips.services import FHVHV, GREEN, Service
from taxi_platform_tests.support.asset_runs import Platform
from taxi_platform_tests.support.trip_texts import row, rows, text, with_field

SHAPE = ["row_count_matches_file", "file_is_the_raw_file", "columns_match_contract"]
Publish = Callable[..., None]


@pytest.fixture
def publish(platform: Platform, tmp_path: Path) -> Publish:
    """Return a function that publishes rows as a month of a service, in a folder that is the platform's source."""
    folder = tmp_path / "published"
    folder.mkdir()
    platform.use(TAXI_SOURCE=str(folder))

    def write(lines: Sequence[str], service: Service = GREEN, month: str = "2019-03") -> None:
        (folder / f"{service.table}_{month}.csv").write_bytes(text(service, lines))

    return write


def change(platform: Platform, statement: str) -> None:
    with psycopg.connect(platform.database, autocommit=True) as connection:
        connection.execute(statement.encode())


def built_on_green() -> tuple[dg.AssetsDefinition, list[str]]:
    """Return an asset that depends on the green trips, and the list that grows when it is materialized."""
    built: list[str] = []

    @dg.asset(deps=["green_tripdata"])
    def built_on_it() -> None:
        built.append("built")

    return built_on_it, built


def failing(run_checks: dict[str, dg.AssetCheckEvaluation]) -> list[str]:
    return [name for name, one in run_checks.items() if not one.passed]


def values(one: dg.AssetCheckEvaluation) -> dict[str, object]:
    return {name: value.value for name, value in one.metadata.items()}


def latest(platform: Platform, table: str, check: str) -> dict[str | None, str]:
    """Return the latest result of a check of each month, as the web UI reads it."""
    key = dg.AssetCheckKey(dg.AssetKey(table), check)
    found = platform.instance.event_log_storage.get_asset_check_partition_info([key])
    return {one.partition_key: one.latest_execution_status.value for one in found}


# What is recorded


@pytest.mark.parametrize("service", [GREEN, FHVHV], ids=["green", "fhvhv"])
def test_loading_a_month_checks_it_and_records_each_result_for_that_month(service: Service, platform: Platform) -> None:
    run = platform.run(service.table, month="2019-03")
    assert run.succeeded, run.failure
    found = run.checks("2019-03")
    assert [name for name, one in found.items() if one.severity == dg.AssetCheckSeverity.ERROR] == SHAPE
    assert failing(found) == []
    assert set(run.checks()) == {"last_finished_month_is_there", "no_partition_is_left_failed"}
    assert ("vendors_are_known" in found) == (service is GREEN)
    assert values(found["row_count_matches_file"])["rows_in_table"] == platform.count(service.table)
    key = dg.AssetCheckKey(dg.AssetKey(service.table), "row_count_matches_file")
    (info,) = platform.instance.event_log_storage.get_asset_check_partition_info([key])
    assert info.is_current, "the result does not belong to the latest materialization"


def test_each_month_of_a_range_has_its_own_results(publish: Publish, platform: Platform) -> None:
    publish(rows(GREEN, 40))  # all of March
    for month in ("2019-02", "2019-04"):
        publish(rows(GREEN, 5), month=month)
    run = platform.run("green_tripdata", months="2019-02...2019-04")
    assert run.succeeded
    assert {month: failing(run.checks(month)) for month in ("2019-02", "2019-03", "2019-04")} == {
        "2019-02": [],
        "2019-03": ["volume_is_plausible"],
        "2019-04": ["volume_is_plausible"],
    }
    assert latest(platform, "green_tripdata", "volume_is_plausible") == {
        "2019-02": "SUCCEEDED",
        "2019-03": "FAILED",
        "2019-04": "FAILED",
    }
    assert set(latest(platform, "green_tripdata", "row_count_matches_file").values()) == {"SUCCEEDED"}


def test_loaded_months_are_checked_again_without_being_loaded(publish: Publish, platform: Platform) -> None:
    for month in ("2019-02", "2019-03"):
        publish(rows(GREEN, 5), month=month)
    platform.run("green_tripdata", months="2019-02...2019-03")
    every = platform.check("green_tripdata")
    assert every.succeeded
    assert every.months("green_tripdata") == []
    assert set(SHAPE) <= set(every.checks("2019-02")) & set(every.checks("2019-03"))
    one = platform.check("green_tripdata", "2019-03")
    assert (bool(one.checks("2019-02")), bool(one.checks("2019-03"))) == (False, True)
    assert (
        "2018-12: it is not a partition. Choose 2019-01 to 2021-07."
        in platform.check("green_tripdata", "2018-12").failure
    )


# Shape: checks that block


def delete_after_each_load(platform: Platform, monkeypatch: pytest.MonkeyPatch, condition: str) -> None:
    """Delete rows after each load and before its checks."""
    swap = loader._Load._swap  # pyright: ignore[reportPrivateUsage]

    def swap_and_delete(self: object, *arguments: object) -> None:
        swap(self, *arguments)  # pyright: ignore[reportArgumentType, reportCallIssue]
        change(platform, f"delete from green_tripdata where {condition}")

    monkeypatch.setattr(loader._Load, "_swap", swap_and_delete)  # pyright: ignore[reportPrivateUsage]


def test_a_bad_month_of_a_range_is_named_and_blocks_everything_downstream_while_the_others_pass(
    publish: Publish, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for month in ("2019-02", "2019-03", "2019-04"):
        publish(rows(GREEN, 30), month=month)
    delete_after_each_load(platform, monkeypatch, "filename like '%2019-03.csv' and dolocationid = '8'")
    asset, built = built_on_green()
    run = platform.run("green_tripdata", "built_on_it", months="2019-02...2019-04", further=[asset])
    assert not run.succeeded
    assert built == []
    assert "1 of 3 months of green_tripdata did not pass" in run.failure
    assert "2019-03: row_count_matches_file: 29 in the table and 0 among the rejects, of 30 rows in the file." in (
        run.failure
    )
    assert "taxi backfill green 2019-03 --all" in run.failure
    assert latest(platform, "green_tripdata", "row_count_matches_file") == {
        "2019-02": "SUCCEEDED",
        "2019-03": "FAILED",
        "2019-04": "SUCCEEDED",
    }


def test_a_raw_file_that_differs_from_the_loaded_one_blocks(publish: Publish, platform: Platform) -> None:
    publish(rows(GREEN, 50))
    platform.run("green_tripdata", month="2019-03")
    publish([*rows(GREEN, 49), row(GREEN, 99)])
    platform.run("raw/green_tripdata", month="2019-03")
    run = platform.check("green_tripdata", "2019-03")
    assert failing(run.checks("2019-03")) == ["file_is_the_raw_file"]
    assert platform.run("green_tripdata", month="2019-03").succeeded


def test_a_removed_raw_file_is_known_from_its_record(publish: Publish, platform: Platform, tmp_path: Path) -> None:
    publish(rows(GREEN, 50))
    platform.run("green_tripdata", month="2019-03")
    for kept in (tmp_path / "raw/green").iterdir():
        kept.unlink()
    run = platform.check("green_tripdata", "2019-03")
    assert failing(run.checks("2019-03")) == []
    assert values(run.checks("2019-03")["file_is_the_raw_file"])["sha256_of_raw_file"]


def test_a_month_that_is_not_loaded_fails_its_checks_with_one_sentence(platform: Platform) -> None:
    run = platform.check("green_tripdata", "2019-03")
    assert "There is no table public.green_tripdata_2019_03." in run.failure
    assert "Traceback" not in run.failure
    assert failing(run.checks("2019-03")) == list(run.checks("2019-03"))
    assert platform.check("green_tripdata").succeeded  # nothing is loaded, so there is nothing to check


# Quality: checks that warn


def test_a_suspicious_month_warns_with_numbers_and_a_sample_and_does_not_block(
    publish: Publish, platform: Platform
) -> None:
    asset, built = built_on_green()
    bad = [with_field(GREEN, line, "lpep_pickup_datetime", "2008-12-31 23:00:00") for line in rows(GREEN, FEW + 1)]
    publish(bad + rows(GREEN, 50, first=FEW + 1))
    run = platform.run("green_tripdata", "built_on_it", month="2019-03", further=[asset])
    assert run.succeeded
    assert built == ["built"]
    assert failing(run.checks("2019-03")) == ["pickups_lie_in_month"]
    found = run.checks("2019-03")["pickups_lie_in_month"]
    assert found.severity == dg.AssetCheckSeverity.WARN
    numbers = values(found)
    assert (numbers["rows"], numbers["rows_in_question"], numbers["share"]) == (61, 11, 0.180328)
    sample = found.metadata["sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert len(sample.records) == SAMPLE
    assert {record.data["lpep_pickup_datetime"] for record in sample.records} == {"2008-12-31 23:00:00"}
    (seen,) = [
        entry.dagster_event for entry in run.log if entry.dagster_event and entry.dagster_event.is_asset_observation
    ]
    observed = seen.asset_observation_data.asset_observation  # so that the UI plots the shares
    assert observed.partition == "2019-03"
    assert observed.metadata["share_in_question/pickups_lie_in_month"].value == 0.180328
    assert observed.metadata["share_in_question/totals_are_not_negative"].value == 0.0


# Databases that do not answer or are locked


def test_a_database_that_does_not_answer_is_retried_and_then_reported_in_one_sentence(
    publish: Publish, platform: Platform, no_waits: list[float]
) -> None:
    platform.use(TAXI_POSTGRES_URL="postgresql://taxi:secret@127.0.0.1:1/ny_taxi")
    run = platform.check("green_tripdata", "2019-03")
    assert not run.succeeded
    assert no_waits == [15.0, 60.0]
    assert "nothing listens on the port" in run.failure
    assert "Traceback" not in run.failure
    assert "secret" not in run.failure


def test_a_locked_month_is_reported_and_the_others_are_checked(
    publish: Publish, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MONTH_AGAIN", ONCE)
    monkeypatch.setattr("taxi_platform.postgres.connection._SESSION", {"lock_timeout": "100ms"})
    for month in ("2019-02", "2019-03"):
        publish(rows(GREEN, 5), month=month)
    platform.run("green_tripdata", months="2019-02...2019-03")
    with psycopg.connect(platform.database) as connection:
        connection.execute("lock table green_tripdata_2019_02 in access exclusive mode")
        run = platform.check("green_tripdata", "2019-02", "2019-03")
    assert "2019-02: green_tripdata_2019-02.csv: PostgreSQL gave up waiting" in run.failure
    assert set(SHAPE) <= set(run.checks("2019-03"))
    assert run.checks("2019-02") == {}
