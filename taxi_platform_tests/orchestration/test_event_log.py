"""What the state says of a run that fails, at the moment when the failure can be seen first."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster_postgres import PostgresEventLogStorage

from taxi_platform.settings import PROJECT, settings


@pytest.fixture
def instance(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance as ``dagster.yaml`` has it, with its state in an empty database."""
    monkeypatch.setenv("TAXI_DAGSTER_POSTGRES_URL", database)
    settings.cache_clear()
    (tmp_path / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance
    settings.cache_clear()


SEEN = """select status,
(select count(*) from event_logs where run_id = %(run)s and dagster_event_type = 'PIPELINE_FAILURE'),
(select value from run_tags where run_id = %(run)s and key = 'dagster/will_retry') from runs where run_id = %(run)s"""


@pytest.mark.parametrize(
    ("reason", "again"), [(RunFailureReason.UNKNOWN, "true"), (None, "true"), (RunFailureReason.STEP_FAILURE, "false")]
)
def test_a_run_has_failed_and_is_to_be_retried_or_not_when_its_failure_is_seen(
    reason: RunFailureReason | None,
    again: str,
    database: str,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = instance.create_run_for_job(dg.job(name="job")(lambda: None))
    seen: list[tuple[str, int, str | None]] = []
    real = PostgresEventLogStorage.store_event

    def look() -> None:
        with psycopg.connect(database) as connection:
            seen.extend(connection.execute(SEEN.encode(), {"run": run.run_id}))

    def store_event(storage: PostgresEventLogStorage, event: dg.EventLogEntry) -> None:
        real(storage, event)
        look()

    monkeypatch.setattr(PostgresEventLogStorage, "store_event", store_event)
    instance.report_run_failed(run, job_failure_data=JobFailureData(error=None, failure_reason=reason))
    look()
    assert seen == [("NOT_STARTED", 0, again), ("FAILURE", 1, again)]


def test_a_run_whose_failure_cannot_be_stored_has_not_failed(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = instance.create_run_for_job(dg.job(name="job")(lambda: None), status=dg.DagsterRunStatus.STARTED)

    def store_event(storage: PostgresEventLogStorage, event: dg.EventLogEntry) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PostgresEventLogStorage, "store_event", store_event)
        with pytest.raises(OSError, match="no space"):
            instance.report_run_failed(run)
    known = instance.get_run_by_id(run.run_id)
    assert known
    assert known.status == dg.DagsterRunStatus.STARTED  # so that run monitoring finds it, and says it again
    instance.report_run_failed(known)
    assert instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)


def test_every_other_event_of_a_run_changes_its_status_as_ever(instance: dg.DagsterInstance) -> None:
    done = dg.job(name="job")(lambda: None).execute_in_process(instance=instance)
    run = instance.get_run_by_id(done.run_id)
    record = instance.get_run_record_by_id(done.run_id)
    assert run
    assert record
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert record.start_time
    assert record.end_time
