"""Removing old runs with their events. Runs that an asset's status depends on stay, and the status does not change."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from taxi_platform.definitions import defs
from taxi_platform.operations.retention import Removed, remove_old_runs
from taxi_platform.settings import settings
from taxi_platform_tests.support.shell import instance as opened

MONTHS = dg.StaticPartitionsDefinition(["2019-01", "2019-02", "2019-03"])
TRIPS, ZONES = dg.AssetKey("trips"), dg.AssetKey("zones")
NOW = datetime.now(timezone.utc)


class Failing(dg.Config):
    fails: bool = False


@dg.asset(partitions_def=MONTHS)
def trips(config: Failing) -> None:
    if config.fails:
        raise ValueError("as configured")


@dg.asset
def zones() -> None: ...


@dg.asset_check(asset=zones)
def zones_are_named() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


CHECK = dg.AssetCheckKey(ZONES, "zones_are_named")


class State:
    """An instance whose runs have the ages that a test sets."""

    def __init__(self, instance: dg.DagsterInstance, database: str) -> None:
        self.instance = instance
        self._database = database

    def made(
        self,
        days_ago: int,
        asset: dg.AssetsDefinition,
        month: str | None = None,
        *,
        fails: bool = False,
        checked: bool = True,
    ) -> str:
        """Materialize the asset, or fail to, in a run that is then dated back; return the id of the run."""
        result = dg.materialize(
            [asset, zones_are_named] if checked and asset is zones else [asset],
            instance=self.instance,
            partition_key=month,
            run_config={"ops": {"trips": {"config": {"fails": fails}}}} if asset is trips else {},
            raise_on_error=False,
        )
        assert result.success is not fails
        self.ask(
            "update runs set update_timestamp = now() at time zone 'utc' - %s where run_id = %s",
            timedelta(days=days_ago),
            result.run_id,
        )
        return result.run_id

    def ask(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self._database, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def runs(self) -> set[str]:
        return set(self.instance.get_run_ids())

    def status(self) -> object:
        """Return what the UI shows of the partitions."""
        cache = get_and_update_asset_status_cache_value(self.instance, TRIPS, MONTHS)
        assert cache
        return (
            cache.deserialize_materialized_partition_subsets(MONTHS),
            cache.deserialize_failed_partition_subsets(MONTHS),
            self.instance.get_materialized_partitions(TRIPS),
        )

    def remove(self, *, dry_run: bool = False) -> Removed:
        """Remove runs that are older than 30 days."""
        before = NOW - timedelta(days=30)
        return remove_old_runs(self.instance, before, dry_run=dry_run)


@pytest.fixture
def state(database: str) -> Iterator[State]:
    with opened(database) as instance:
        yield State(instance, database)


def test_replaced_old_runs_are_removed_and_shown_ones_stay(state: State) -> None:
    in_progress = state.made(400, zones)
    state.ask("update runs set status = 'STARTED' where run_id = %s", in_progress)
    replaced = {
        state.made(90, trips, "2019-01"),
        state.made(85, trips, "2019-02", fails=True),
        state.made(80, zones),
        state.made(75, trips, "2019-01"),
    }
    shown = {
        state.made(70, trips, "2019-02"),
        state.made(65, trips, "2019-03", fails=True),
        state.made(60, zones),
    }
    young = {state.made(2, trips, "2019-01"), state.made(1, trips, "2019-01")}
    folder = Path(state.instance.storage_directory()) / min(replaced)
    (folder / "compute_logs").mkdir(parents=True, exist_ok=True)
    before = state.status()

    counted = state.remove(dry_run=True)
    assert state.runs() == replaced | shown | young | {in_progress}
    removed = state.remove()

    assert state.runs() == shown | young | {in_progress}
    assert not folder.exists()
    assert removed == counted
    assert (removed.runs, removed.kept) == (4, 3)
    assert state.ask("select run_id from event_logs where run_id not in (select run_id from runs)") == []
    assert state.ask("select * from asset_event_tags where event_id not in (select id from event_logs)") == []
    assert state.status() == before
    assert state.instance.get_latest_materialization_event(TRIPS)
    result = state.instance.event_log_storage.get_latest_asset_check_execution_by_key([CHECK])[CHECK]
    assert result.run_id in shown


def test_the_latest_result_of_a_check_stays_with_its_run(state: State) -> None:
    checked = state.made(90, zones)
    state.made(60, zones, checked=False)
    assert state.remove() == Removed(runs=0, kept=2)
    assert checked in state.runs()


def test_a_removal_that_is_killed_half_way_is_finished_by_the_next_one(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (90, 80, 70):
        state.made(days, zones)
    last = state.made(60, zones)
    real, gone = type(state.instance).delete_run, []

    def killed(instance: dg.DagsterInstance, run_id: str) -> None:
        if gone:
            raise KeyboardInterrupt
        gone.append(run_id)
        real(instance, run_id)

    monkeypatch.setattr(type(state.instance), "delete_run", killed)
    with pytest.raises(KeyboardInterrupt):
        state.remove()
    monkeypatch.undo()
    assert state.remove().runs == 2
    assert state.runs() == {last}
    assert state.ask("select distinct run_id from event_logs") == [(last,)]


# The job


@pytest.fixture
def run_job(state: State, monkeypatch: pytest.MonkeyPatch, database: str):
    monkeypatch.setenv("TAXI_DAGSTER_POSTGRES_URL", database)

    def run(days: str, *, dry_run: bool = False) -> dict[str, object]:
        monkeypatch.setenv("TAXI_KEEP_RUNS_DAYS", days)
        settings.cache_clear()
        loaded = defs()
        job = loaded.resolve_job_def("run_retention_job")
        config = {"ops": {"remove_runs": {"config": {"dry_run": dry_run}}}}
        result = job.execute_in_process(instance=state.instance, run_config=config)
        (out,) = (event for event in result.all_node_events if event.event_type_value == "STEP_OUTPUT")
        messages = [entry.user_message for entry in state.instance.all_logs(result.run_id)]
        schedule = loaded.resolve_schedule_def("run_retention_schedule")
        metadata = {name: value.value for name, value in out.step_output_data.metadata.items()}
        return {**metadata, "messages": messages, "schedule": schedule.default_status.value}

    yield run
    settings.cache_clear()


def test_the_job_removes_runs_older_than_the_setting_and_reports_it(state: State, run_job) -> None:
    old, young = state.made(11, zones), state.made(9, zones)
    unset = run_job("")
    assert "TAXI_KEEP_RUNS_DAYS is not set, so every run stays" in unset["messages"]
    assert (unset["schedule"], old in state.runs()) == ("STOPPED", True)
    dry = run_job("10", dry_run=True)
    assert (dry["runs"], dry["dry_run"], old in state.runs()) == (1, True, True)
    done = run_job("10")
    assert (done["runs"], done["kept_because_a_status_rests_on_them"]) == (1, 0)
    assert young in state.runs()
    assert old not in state.runs()
    assert done["schedule"] == "RUNNING"
