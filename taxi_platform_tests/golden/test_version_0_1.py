"""Data of version 0.1 keeps working: nothing is fetched or loaded again, and new months are added to it."""

from typing import Any

import dagster as dg
import pytest

from taxi_platform_tests.golden.archive import Restored
from taxi_platform_tests.golden.conftest import Restore
from taxi_platform_tests.golden.files import content, rows
from taxi_platform_tests.golden.location import Location
from taxi_platform_tests.golden.publisher import publishing
from taxi_platform_tests.golden.scenario import published_by_http
from taxi_platform_tests.support import warm

NEW_MONTHS, LANDING = "new_month_sensor", "landing_sensor"
# Months that version 0.1 loaded and whose raw files are still in the cache.
KEPT = (("green", "2019-02", "2019-03"), ("yellow", "2019-01", "2019-01"), ("yellow", "2019-07", "2019-08"))


def tables(on: Location) -> dict[str, Any]:
    """Return the filenode of each partition, which changes when the partition is rewritten."""
    query = "select inhrelid::regclass::text, pg_relation_filenode(inhrelid) from pg_inherits"
    return dict(on.rows(query))


def records(on: Location) -> dict[str, Any]:
    """Return the load records by file name, with the columns of version 0.1; later versions may add columns."""
    columns = (
        "table_name, partition_name, source, sha256, file_bytes, csv_bytes, rows_in_file, rows_loaded, rows_rejected, "
        "contract, filenode, loaded_at"
    )
    return {name: record for name, *record in on.rows(f"select filename, {columns} from tripdata_files")}


def columns(on: Location, service: str) -> str:
    """Return the columns of a service's table."""
    table = f"'{service}_tripdata'::regclass"
    query = (
        f"select string_agg(attname, ', ' order by attnum) from pg_attribute where attrelid = {table} and attnum > 0"
    )
    return on.rows(query)[0][0]


def raw_files(at: Restored) -> dict[str, tuple[int, int, bytes]]:
    """Return inode, mtime_ns and content of the raw files and their sidecar files."""
    return {
        str(path.relative_to(at.data)): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted((at.data / "raw").rglob("*.csv*"))
        if not path.name.endswith(".lock")
    }


def unchanged(on: Location, run: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, object]:
    """Return for each month whether a run reported it as unchanged."""
    return {made.partition: made.metadata["unchanged"].value for made in on.materializations(run, asset)}


# These tests share the data of version 0.1. They add runs, but do not change tables.


def test_dagsters_state_needs_no_migration(frozen: tuple[Location, Restored]) -> None:
    on, at = frozen
    current, head = on.instance.run_storage.alembic_version()  # pyright: ignore[reportGeneralTypeIssues]
    assert current == head
    runs = on.instance.get_runs()
    statuses = [run.status.value for run in runs]
    assert {status: statuses.count(status) for status in statuses} == at.manifest["runs"]
    assert all(on.instance.all_logs(run.run_id) for run in runs)
    (backfill,) = on.instance.get_backfills()
    assert backfill.tags["taxi"] == "green"
    on.instance.upgrade()
    assert len(on.instance.get_runs()) == len(runs)


def test_a_dagster_yaml_that_was_copied_from_version_0_1_still_opens(
    frozen: tuple[Location, Restored], monkeypatch: pytest.MonkeyPatch
) -> None:
    on, at = frozen
    yaml = (at.home / "dagster.yaml").read_text()
    assert "module: taxi_platform.instance.storage" in yaml
    assert "module: taxi_platform.instance.launcher" in yaml
    monkeypatch.setenv("DAGSTER_HOME", str(at.home))
    with dg.DagsterInstance.get() as instance:
        assert len(instance.get_runs()) == len(on.instance.get_runs())
        assert type(instance.run_storage) is type(on.instance.run_storage)
        assert type(instance.run_launcher) is type(on.instance.run_launcher)


def test_the_sensors_do_not_repeat_a_run_request_of_version_0_1(frozen: tuple[Location, Restored]) -> None:
    on, at = frozen
    earlier_keys = {run.tags.get("dagster/run_key") for run in on.instance.get_runs()} - {None}
    assert len(earlier_keys) == 7
    for sensor in (NEW_MONTHS, LANDING):
        first = on.tick(sensor, at.manifest["cursors"][sensor])
        keys = {str(request.run_key) for request in first.run_requests}
        assert keys
        assert keys & earlier_keys == set()
        # The cursor alone prevents a repeated request for a new month; for a dropped file it is the run's tag.
        if sensor == NEW_MONTHS:
            assert not on.tick(sensor, first.cursor).run_requests


def test_loaded_months_are_neither_fetched_nor_loaded_again(frozen: tuple[Location, Restored]) -> None:
    on, at = frozen
    before = tables(on), records(on), raw_files(at)
    with on.using(TAXI_ON_BAD_ROWS="quarantine"):  # yellow 2019-07 has bad rows
        for service, first, last in KEPT:
            table = f"{service}_tripdata"
            run = on.materialize(f"raw/{table}", table, first=first, last=last)
            assert [event.step_failure_data.error_display_string for event in run.get_step_failure_events()] == []
            for asset in (f"raw/{table}", table):
                assert set(unchanged(on, run, asset)) == {first, last}
                assert all(unchanged(on, run, asset).values()), asset
    assert (tables(on), records(on), raw_files(at)) == before


def test_a_purged_raw_file_is_fetched_and_its_partition_is_not_rewritten(frozen: tuple[Location, Restored]) -> None:
    on, at = frozen
    before = tables(on), records(on)
    run = on.materialize("green_tripdata", first="2019-01")
    assert unchanged(on, run, "green_tripdata") == {"2019-01": True}
    assert unchanged(on, run, "raw/green_tripdata") == {"2019-01": False}
    assert (at.data / "raw/green/green_tripdata_2019-01.csv.gz").exists()
    assert (tables(on), records(on)) == before


# Each of these tests has its own data.


def test_sidecar_files_of_files_from_http_are_trusted_without_a_get(restore: Restore) -> None:
    with publishing(published_by_http()) as server:
        on, at = restore(server.port, TAXI_SOURCE=server.template)
        before = tables(on), raw_files(at)
        run = on.materialize("fhv_tripdata", first="2019-01", last="2019-02")
        assert unchanged(on, run, "fhv_tripdata") == {"2019-01": True, "2019-02": True}
        assert server.asked == []
        run = on.materialize("raw/fhv_tripdata", first="2019-01", last="2019-02")
        assert unchanged(on, run, "raw/fhv_tripdata") == {"2019-01": True, "2019-02": True}
        assert {method for method, _ in server.asked} == {"HEAD"}
        assert [request for request in on.tick(NEW_MONTHS).run_requests or [] if "fhv" in str(request.job_name)] == []
        assert {method for method, _ in server.asked} == {"HEAD"}
        assert (tables(on), raw_files(at)) == before


def test_a_changed_file_a_new_month_and_damaged_partitions_are_loaded_beside_the_others(restore: Restore) -> None:
    on, _ = restore()
    before = tables(on)
    on.execute("drop table green_tripdata_2019_06")  # version 0.1 cannot replace a detached partition either
    for service, months in (("green", "2019-04..2019-08"), ("yellow", "2019-01..2019-04")):
        done = on.command("backfill", service, months)
        assert done.exit_code == 0, done.output
    loaded = {f"green_tripdata_2019_{n:02d}" for n in range(4, 9)} | {f"yellow_tripdata_2019_{n:02d}" for n in (2, 4)}
    now = tables(on)
    assert {name for name in now if now[name] != before.get(name)} == loaded
    assert {name for name in before if name not in now} == set()
    counts = dict(on.rows("select filename, count(*) from green_tripdata group by filename"))
    assert counts == {
        f"green_tripdata_2019-{n:02d}.csv": count
        for n, count in zip(range(1, 9), (11, 12, 6, 14, 15, 16, 17, 21), strict=True)
    }
    assert on.command("backfill", "green", "2019-01..2019-08", "--dry-run").output.count("2019-0") <= 2
    assert on.rows("select count(*) from yellow_tripdata_2019_02") == [(17,)]


def test_the_current_code_loads_the_same_rows_as_version_0_1(restore: Restore) -> None:
    on, _ = restore(TAXI_ON_BAD_ROWS="quarantine", TAXI_MAX_BAD_ROWS="0.5")
    queries = [f"select {columns(on, name)} from {name}_tripdata order by 2, 1" for name in ("green", "yellow")]
    before = [on.rows(query) for query in queries]
    on.execute("delete from tripdata_files where filename ~ 'green.*-0[23]|yellow.*-0[178]'")
    for service, first, last in KEPT:
        run = on.materialize(f"{service}_tripdata", first=first, last=last)
        assert not any(unchanged(on, run, f"{service}_tripdata").values())
    assert [on.rows(query) for query in queries] == before
    assert on.rows("select filename, line, reason <> '' from yellow_tripdata_rejects order by line") == [
        ("yellow_tripdata_2019-07.csv", 5, True),
        ("yellow_tripdata_2019-07.csv", 10, True),
    ]


def test_a_month_is_added_to_models_that_version_0_1_built(restore: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    warm.use_for_dbt(monkeypatch)
    on, _ = restore()
    query = "select file_month::text, service, count(*) from analytics.fct_trips group by 1, 2 order by 1, 2"
    before = on.rows(query)
    run = on.materialize(*on.group("models"), first="2019-08")
    assert run.success
    assert on.rows(query) == [*before, ("2019-08-01", "green", 18), ("2019-08-01", "yellow", 11)]


def test_a_killed_run_of_version_0_1_is_marked_as_failed_and_its_month_is_loaded(restore: Restore) -> None:
    on, at = restore()
    started = on.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    (killed,) = [run for run in started if "taxi/process" in run.tags]
    (at.source / "yellow_tripdata_2019-10.csv.gz").write_bytes(content("yellow", rows("yellow", "2019-10", 9)))
    done = on.command("backfill", "yellow", "2019-10")
    assert done.exit_code == 0, done.output
    ended = on.instance.get_run_by_id(killed.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE
    assert on.rows("select count(*) from yellow_tripdata_2019_10") == [(9,)]
