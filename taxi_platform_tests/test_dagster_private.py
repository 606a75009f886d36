"""Every private part of Dagster that the package uses still works: run this first after an upgrade of Dagster.

A test that fails names the entry of ``dagster_private`` to look at; that entry says what breaks.
"""

import ast
import json
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest
from dagster._daemon.auto_run_reexecution import event_log_consumer

import taxi_platform
from taxi_platform import dagster_private
from taxi_platform.orchestration.web_guard import WebGuard
from taxi_platform_tests.support.shell import instance as opened

PACKAGE = Path(taxi_platform.__file__).parent
AT_MOST = 12
CHECKED = "1.13."
MONTHS = dg.StaticPartitionsDefinition(["2019-01", "2019-02", "2019-03"])
TRIPS = dg.AssetKey("trips")
CHECK = dg.AssetCheckKey(TRIPS, "has_rows")


@dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run())
def trips(context: dg.AssetExecutionContext) -> None:
    if context.partition_keys == ["2019-02"]:
        raise ValueError("February fails.")


def has_rows_in(instance: dg.DagsterInstance) -> dg.AssetChecksDefinition:
    """Return a check that fails for the latest materialization of January."""
    spec = dg.AssetCheckSpec("has_rows", asset=TRIPS, partitions_def=MONTHS)

    @dg.multi_asset_check(specs=[spec])
    def has_rows() -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        latest = instance.get_latest_materialization_event(TRIPS)
        assert latest
        target = dagster_private.CheckTarget(
            storage_id=dagster_private.latest_storage_ids(instance, TRIPS)["2019-01"],
            run_id=latest.run_id,
            timestamp=latest.timestamp,
        )
        yield dg.AssetCheckEvaluation(
            TRIPS, "has_rows", passed=False, partition="2019-01", target_materialization_data=target
        )
        yield dg.Output(None, output_name=spec.get_python_identifier())

    return has_rows


@pytest.fixture
def instance(state_database: str) -> Iterator[dg.DagsterInstance]:
    with opened(state_database) as state:
        yield state


def materialize(instance: dg.DagsterInstance, month: str) -> str:
    result = dg.materialize([trips], instance=instance, partition_key=month, raise_on_error=False)
    return result.run_id


def private_imports(path: Path) -> Iterator[str]:
    """Yield the private modules of Dagster and its libraries that a module imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            library, *inner = module.split(".")
            if library.startswith("dagster") and inner and (library != "dagster" or inner[0].startswith("_")):
                yield module


def test_the_contract_tests_were_reviewed_for_this_version_of_dagster() -> None:
    assert dg.__version__.startswith(CHECKED), (
        f"Dagster {dg.__version__} is new here. Its private parts may have changed: see which tests of this file fail, "
        "read what taxi_platform/dagster_private.py says about them, and then set CHECKED."
    )


def test_private_parts_of_dagster_are_imported_in_one_place_only() -> None:
    imports = {path.relative_to(PACKAGE).as_posix(): list(private_imports(path)) for path in PACKAGE.rglob("*.py")}
    assert len(imports.pop("dagster_private.py")) <= AT_MOST
    assert {path: modules for path, modules in imports.items() if modules} == {}


def test_every_function_is_run_by_a_test_of_this_file() -> None:
    defined = [
        node for node in ast.parse(Path(dagster_private.__file__).read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    here = Path(__file__).read_text()
    assert [
        one.name for one in defined if not one.name.startswith("_") and f"dagster_private.{one.name}(" not in here
    ] == []


def test_definitions_load_from_a_folder_and_leave_the_other_libraries_alone() -> None:
    definitions = dagster_private.load_definitions(import_module("taxi_platform.defs"), PACKAGE)
    assert definitions.resolve_job_def("hello_world")


def test_the_latest_materialization_of_each_partition_is_known(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2019-01")
    earlier = dagster_private.latest_storage_ids(instance, TRIPS)["2019-01"]
    run_id = materialize(instance, "2019-01")
    materialize(instance, "2019-03")
    latest = dagster_private.latest_storage_ids(instance, TRIPS)
    assert latest.keys() == {"2019-01", "2019-03"}
    assert latest["2019-01"] > earlier
    filter_ = dg.AssetRecordsFilter(TRIPS, storage_ids=[latest["2019-01"]])
    assert [record.run_id for record in instance.fetch_materializations(filter_, limit=5).records] == [run_id]


def test_a_run_that_was_to_materialize_a_partition_and_did_not_is_known(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2019-01")
    assert dagster_private.unmaterialized_attempts(instance, TRIPS) == {}
    failed = materialize(instance, "2019-02")
    assert dagster_private.unmaterialized_attempts(instance, TRIPS) == {"2019-02": failed}


@pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")
def test_a_check_result_belongs_to_its_materialization(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2019-01")
    checked = [trips, has_rows_in(instance)]
    result = dg.materialize(checked, instance=instance, selection=dg.AssetSelection.checks(CHECK))
    assert result.success
    assert dagster_private.failed_partitions(instance, [CHECK]) == [("2019-01", "has_rows")]
    assert dagster_private.runs_of_latest_check_results(instance) == {result.run_id}

    materialize(instance, "2019-01")
    assert dagster_private.failed_partitions(instance, [CHECK]) == []


@pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")
def test_what_a_check_found_before_a_run_is_known(instance: dg.DagsterInstance) -> None:
    materialize(instance, "2019-01")
    checked, only = [trips, has_rows_in(instance)], dg.AssetSelection.checks(CHECK)
    first, second = (dg.materialize(checked, instance=instance, selection=only).run_id for _ in range(2))
    before = dagster_private.earlier_check_result(instance, CHECK, "2019-01", second)
    assert before
    assert not before.passed
    assert dagster_private.earlier_check_result(instance, CHECK, "2019-01", first) is None
    assert dagster_private.earlier_check_result(instance, CHECK, "2019-02", second) is None


def test_events_are_deleted(instance: dg.DagsterInstance) -> None:
    run_id, other = materialize(instance, "2019-01"), materialize(instance, "2019-03")
    dagster_private.delete_events(instance, run_id)
    assert instance.all_logs(run_id) == []
    assert instance.all_logs(other)


def test_a_backfill_is_requested_and_waits_for_the_daemon(instance: dg.DagsterInstance) -> None:
    graph = dg.Definitions([trips]).resolve_asset_graph()
    months = ["2019-01", "2019-03"]
    backfill_id = dagster_private.request_backfill(
        instance, graph, TRIPS, months, title="two months", tags={"asked": "by a test"}, run_config={}
    )
    waiting = dagster_private.undecided_partitions(instance, TRIPS)
    assert {month: asked_by for month, (asked_by, _) in waiting.items()} == dict.fromkeys(months, backfill_id)
    assert dagster_private.undecided_partitions(instance, dg.AssetKey("another")) == {}


def test_a_run_belongs_to_a_backfill_that_goes_on_until_it_has_ended(instance: dg.DagsterInstance) -> None:
    graph = dg.Definitions([trips]).resolve_asset_graph()
    found = dagster_private.request_backfill(instance, graph, TRIPS, ["2019-01"], title="one", tags={}, run_config={})
    run = instance.create_run_for_job(dg.job(name="of_it")(lambda: None), tags={"dagster/backfill": found})
    assert dagster_private.backfill_goes_on(instance, run)
    backfill = instance.get_backfill(found)
    assert backfill
    instance.update_backfill(backfill.with_status(type(backfill.status).CANCELED).with_end_timestamp(time.time()))
    assert not dagster_private.backfill_goes_on(instance, run)
    assert dagster_private.backfill_goes_on(instance, instance.create_run_for_job(dg.job(name="other")(lambda: None)))


def test_dagster_decides_about_the_retry_of_a_run_that_is_about_to_fail(instance: dg.DagsterInstance) -> None:
    failure = dg.DagsterEvent(event_type_value="PIPELINE_FAILURE", job_name="job", message="crashed")
    tags: list[str] = []
    for again in ({}, {"dagster/max_retries": "0"}):
        run = instance.create_run_for_job(dg.job(name="job")(lambda: None), tags=again)
        dagster_private.announce_retry(instance, run.run_id, failure)
        found = instance.get_run_by_id(run.run_id)
        assert found
        tags.append(found.tags["dagster/will_retry"])
    assert tags == ["true", "false"]


def test_the_daemon_reads_a_failure_again_where_its_cursor_is_moved_back(instance: dg.DagsterInstance) -> None:
    key = event_log_consumer._create_cursor_key(dg.DagsterEventType.RUN_FAILURE)  # pyright: ignore[reportPrivateUsage]
    failed = materialize(instance, "2019-02")
    (failure,) = instance.get_records_for_run(failed, of_type=dg.DagsterEventType.RUN_FAILURE).records
    instance.daemon_cursor_storage.set_cursor_values({key: str(failure.storage_id)})
    dagster_private.read_failures_again(instance, [failed])
    assert instance.daemon_cursor_storage.get_cursor_values({key}) == {key: str(failure.storage_id - 1)}


def test_each_month_of_a_range_has_its_own_metadata(instance: dg.DagsterInstance) -> None:
    class Months(dg.ConfigurableIOManager):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None:
            for month in context.asset_partition_keys:
                dagster_private.add_output_metadata(context, {"month": month}, month)

        def load_input(self, context: dg.InputContext) -> None: ...

    @dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run(), io_manager_def=Months())
    def ranges() -> int:
        return 0

    span = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2019-02"}
    result = dg.materialize([ranges], instance=instance, tags=span)
    made = [event.materialization for event in result.get_asset_materialization_events()]
    assert {one.partition: one.metadata["month"].value for one in made} == {"2019-01": "2019-01", "2019-02": "2019-02"}


def test_a_run_launcher_can_say_that_a_process_is_gone() -> None:
    health = dagster_private.CheckRunHealthResult(dagster_private.WorkerStatus.NOT_FOUND, "killed")
    assert health.status == dagster_private.WorkerStatus.NOT_FOUND
    assert health.msg == "killed"
    assert issubclass(dagster_private.CodeServerUnreachable, Exception)


def test_a_run_launcher_can_ask_whether_the_code_server_of_a_run_answers(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(dg.job(name="of_a_command")(lambda: None))
    launcher = instance.run_launcher
    assert isinstance(launcher, dg.DefaultRunLauncher)
    assert dagster_private.code_server_answers(launcher, run.run_id)  # a command has no code server to wait for
    origin = {"host": "127.0.0.1", "port": 1, "use_ssl": False}
    instance.add_run_tags(run.run_id, {".dagster/grpc_info": json.dumps(origin)})
    assert not dagster_private.code_server_answers(launcher, run.run_id)


def test_a_cursor_value_is_deleted(instance: dg.DagsterInstance) -> None:
    values = instance.daemon_cursor_storage
    values.set_cursor_values({"mine": "1", "another": "2"})
    dagster_private.forget_cursor_value(values, "mine")
    assert values.get_cursor_values({"mine", "another"}) == {"another": "2"}


def test_the_database_of_the_state_is_known(instance: dg.DagsterInstance, state_database: str) -> None:
    url = dagster_private.state_database_url(instance)
    assert url is not None
    assert url.rpartition("/")[2] == state_database.rpartition("/")[2]
    assert dagster_private.state_database_url(dg.DagsterInstance.ephemeral()) is None


def test_our_middleware_is_the_first_of_the_web_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_webserver.webserver import DagsterWebserver

    monkeypatch.setattr(DagsterWebserver, "build_middleware", DagsterWebserver.build_middleware)  # undone at the end
    dagster_private.add_web_middleware(WebGuard, names={"example.com"})
    ours, *dagsters = DagsterWebserver.build_middleware(cast("Any", None))
    assert (ours.cls, ours.kwargs) == (WebGuard, {"names": {"example.com"}})
    assert dagsters
