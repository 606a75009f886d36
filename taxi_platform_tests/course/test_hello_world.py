"""The job ``hello_world``: what it logs and when, and how many of it run at once."""

import logging
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from taxi_platform.defs.course import AT_ONCE, WHEN_FULL, admit, course, hello_world
from taxi_platform.settings import PROJECT, settings
from taxi_platform_tests.support.at_once import SECONDS, Together, Worker, run_hello_world
from taxi_platform_tests.support.shell import instance, typed

AWAKE = {"sleep_seconds": 0}
LAUNCHES = 10
STEPS = ["hello_message", "generate_output", "sleep", "log_output", "goodbye_message"]


def lines(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str]]:
    """Return what the steps of a run have logged, with the levels."""
    entries = [entry for entry in instance.all_logs(run_id) if not entry.is_dagster_event and entry.step_key]
    logged = [entry for entry in entries if entry.level > logging.DEBUG]
    return [(logging.getLevelName(entry.level), entry.user_message) for entry in logged]


def run(config: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    with dg.DagsterInstance.ephemeral() as instance:
        return lines(instance, hello_world.execute_in_process(config, instance=instance, tags=tags).run_id)


def failure(config: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> str:
    with dg.DagsterInstance.ephemeral() as instance:
        done = hello_world.execute_in_process(config, instance=instance, tags=tags, raise_on_error=False)
        return reason(instance, done.run_id)


def reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return why the only failed step of a run failed."""
    (entry,) = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    data = entry.get_dagster_event().step_failure_data
    return (data.user_failure_data and data.user_failure_data.description) or data.error_display_string


def test_it_greets_will_passes_a_value_on_and_says_goodbye_at_the_level_of_all_log_steps() -> None:
    assert run(AWAKE) == [
        ("ERROR", "Hello, Will!"),
        ("ERROR", "This is an output: I was generated during this workflow."),
        ("ERROR", "Goodbye, Will!"),
    ]


def test_one_setting_changes_the_level_of_every_log_step() -> None:
    assert run({**AWAKE, "name": "Zoë {x}", "log_level": "INFO"}) == [
        ("INFO", "Hello, Zoë {x}!"),
        ("INFO", "This is an output: I was generated during this workflow."),
        ("INFO", "Goodbye, Zoë {x}!"),
    ]


def test_it_sleeps_fifteen_seconds_unless_the_configuration_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("taxi_platform.defs.course.time.sleep", slept.append)
    run({})
    run({"sleep_seconds": 2.5})
    assert slept == [15.0, 2.5]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"name": ""}, "String should have at least 1 character"),
        ({"name": "x" * 100_000}, "String should have at most 200 characters"),
        ({"sleep_seconds": -1}, "Input should be greater than or equal to 0"),
        ({"sleep_seconds": 1e9}, "Input should be less than or equal to 3600"),
        ({"sleep_seconds": float("nan")}, "Input should be"),
    ],
)
def test_an_invalid_value_is_named(config: dict[str, Any], problem: str) -> None:
    assert problem in failure({**AWAKE, **config})


def test_the_schedule_greets_sarah_at_ten_in_the_time_zone_of_the_settings_and_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAXI_SCHEDULE_TIMEZONE", "America/New_York")
    settings.cache_clear()
    (schedule,) = course().schedules or []
    settings.cache_clear()
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 10 * * *", "America/New_York")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    (request,) = schedule.evaluate_tick(dg.build_schedule_context()).run_requests or []
    assert run({**request.run_config, **AWAKE})[0] == ("ERROR", "Hello, Sarah!")


def test_the_command_lines_run_it_with_a_file_and_with_a_text(state_database: str, tmp_path: Path) -> None:
    launch = """dg launch --job hello_world --config-json '{"name": "Ann", "sleep_seconds": 0}'"""
    (tmp_path / "hello.json").write_text(shlex.split(launch)[-1])
    for command in (f"dagster job execute -j hello_world -c {tmp_path}/hello.json", launch):
        done = typed(command, tmp_path, TAXI_POSTGRES_URL=state_database)
        assert done.returncode == 0, done.stdout
        assert "hello_message - Hello, Ann!" in done.stdout


# At most two at once


@pytest.fixture
def launched() -> Iterator[list[Worker]]:
    """Yield the list of the processes that the test starts, and kill them afterwards."""
    workers: list[Worker] = []
    yield workers
    for worker in workers:
        worker.kill()


def test_of_ten_launches_at_once_two_run_and_eight_fail_with_the_reason(database: str, launched: list[Worker]) -> None:
    together = Together(LAUNCHES)
    launched += [together.start(run_hello_world, database, {"sleep_seconds": 3600}, {}) for _ in range(LAUNCHES)]
    refused = [worker for worker in launched if worker not in _last_to_answer(launched, AT_ONCE)]
    asleep = [worker for worker in launched if worker not in refused]
    with instance(database, keep=False) as opened:
        for worker in refused:
            run_id, succeeded = worker.answer()
            assert not succeeded
            assert reason(opened, run_id) == (
                "hello_world (at most 2 runs at once): that many are running already. "
                "Start it again when one of them has ended, or with the tag hello_world/when_full=queue to let it wait."
            )
            assert "Hello, Will!" not in str(lines(opened, run_id))
        in_progress = opened.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        assert len(in_progress) == len(asleep) == AT_ONCE

        # After one is killed, a waiting run starts while the other still sleeps; then there is room for one more.
        asleep[0].kill()
        for tags in ({WHEN_FULL: "queue"}, {}):
            launched.append(Together(1).start(run_hello_world, database, AWAKE, tags))
            assert launched[-1].answer()[1]
        assert not asleep[1].answered()


def _last_to_answer(workers: list[Worker], number: int) -> list[Worker]:
    """Return the ``number`` workers that answer last, while they have not answered yet."""
    unanswered = list(workers)
    for _ in range(int(SECONDS / 0.05)):
        unanswered = [worker for worker in unanswered if not worker.answered(0.05)]
        if len(unanswered) <= number:
            break
    return unanswered


def test_of_five_queueing_launches_all_run_and_never_more_than_two_at_once(
    database: str, launched: list[Worker]
) -> None:
    together = Together(5)
    config, tags = {"sleep_seconds": 0.2}, {WHEN_FULL: "queue"}
    launched += [together.start(run_hello_world, database, config, tags) for _ in range(5)]
    done = [worker.answer() for worker in launched]
    assert [succeeded for _, succeeded in done] == [True] * 5
    with instance(database, keep=False) as opened:
        spans = [_span(opened, run_id) for run_id, _ in done]
    at_once = [sum(begin <= moment <= end for begin, end in spans) for moment, _ in spans]
    assert max(at_once) <= AT_ONCE


def _span(instance: dg.DagsterInstance, run_id: str) -> tuple[float, float]:
    """Return when the first and the last step ended; between these times the run was certainly counted."""
    ended = {log.step_key: log.timestamp for log in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)}
    assert list(ended) == STEPS
    return ended[STEPS[0]], ended[STEPS[-1]]


def test_a_run_of_a_later_step_alone_is_limited_too(database: str) -> None:
    with instance(database, keep=False) as opened:
        for _ in range(AT_ONCE):
            other = opened.create_run_for_job(hello_world, status=dg.DagsterRunStatus.STARTED)
            admit(opened, other)
        for step in ("generate_output", "sleep", "goodbye_message"):
            late = hello_world.execute_in_process(AWAKE, instance=opened, op_selection=[step], raise_on_error=False)
            assert "that many are running already" in reason(opened, late.run_id)


def test_an_invalid_tag_fails_with_its_valid_values() -> None:
    message = f"the tag {WHEN_FULL}=sometimes: it is neither fail nor queue. Write one of the two."
    assert failure(AWAKE, {WHEN_FULL: "sometimes"}) == message


def test_dagsters_own_queue_has_the_same_limit() -> None:
    config = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    limit = {"key": WHEN_FULL, "value": "queue", "limit": AT_ONCE}
    assert limit in config["concurrency"]["runs"]["tag_concurrency_limits"]
