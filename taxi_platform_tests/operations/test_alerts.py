"""The alert, tick by tick: runs that fail, a real instance, Apprise, and a receiver that answers, refuses or hangs."""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.errors import DatabaseRefused, NotPublished
from taxi_platform.operations.alerts.addresses import Address, addresses_of
from taxi_platform.operations.alerts.delivery import deliver
from taxi_platform.operations.alerts.mailbox import BURST, INTERVAL, KEEP, LONGEST_PAUSE
from taxi_platform.operations.alerts.message import Message
from taxi_platform.operations.alerts.tick import Deliver, Office, Tick, tick
from taxi_platform.redaction import redact
from taxi_platform_tests.support.alert_receiver import AlertReceiver
from taxi_platform_tests.support.asset_runs import Platform

NOW = time.time()


@dg.op
def refuse(context: dg.OpExecutionContext) -> None:
    raise NotPublished("green_tripdata_2019-03.csv.gz", "the source does not have it", "Choose another month.")


@dg.op
def break_down() -> None:
    try:
        try:
            raise ConnectionResetError("postgresql://taxi:hunter22@db: reset by peer")
        except OSError as error:
            raise DatabaseRefused(
                "green_tripdata", f"PostgreSQL refused ({error})", "The table is as it was."
            ) from error
    except DatabaseRefused as error:
        raise RuntimeError("something of little interest") from error


@dg.op
def stumble() -> None:
    raise KeyError("ehail_fee")


def failing(op: dg.OpDefinition) -> dg.JobDefinition:
    return dg.GraphDefinition(name=f"{op.name}_job", node_defs=[op]).to_job()


class Watch:
    """A sensor without a daemon: it remembers its cursor, and its clock can be put forward."""

    def __init__(self, instance: dg.DagsterInstance, deliver: Deliver, *urls: str) -> None:
        self.instance = instance
        self.office = Office(addresses_of(" ".join(urls)), "http://ui:3000", redact, deliver)
        self.cursor: str | None = None
        self.now = NOW

    def fail(self, op: dg.OpDefinition = refuse, **tags: str) -> str:
        result = failing(op).execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            tags={"taxi": "green", "dagster/partition": "2019-03", **tags},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        return result.run_id

    def tick(self, later: float = 30) -> Tick:
        self.now += later
        done = tick(self.instance, self.office, self.cursor, NOW - 1, self.now)
        self.cursor = done.cursor
        return done


Watching = Callable[..., Watch]


@pytest.fixture
def receiver() -> Iterator[AlertReceiver]:
    with AlertReceiver() as open_receiver:
        yield open_receiver


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    (tmp_path / "dagster.yaml").touch()
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield partial(Watch, instance, deliver)


def test_a_failure_is_told_once_with_its_root_error_and_a_link(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.tick()
    run_id = watch.fail()
    assert watch.tick().told == 1
    assert watch.tick().told == 0
    (message,) = receiver.taken
    assert message["title"] == "taxi_platform: green 2019-03 failed"
    assert message["type"] == "failure"
    assert message["message"].splitlines() == [
        "refuse: green_tripdata_2019-03.csv.gz: the source does not have it. Choose another month.",
        f"Run: http://ui:3000/runs/{run_id}",
    ]


def test_the_deepest_of_our_own_errors_is_told_and_without_passwords(
    watching: Watching, receiver: AlertReceiver
) -> None:
    watch = watching(receiver.url)
    watch.tick()
    watch.fail(break_down)
    watch.fail(stumble)
    watch.tick()
    told = [message["message"].splitlines()[0] for message in receiver.taken]
    refused = "green_tripdata: PostgreSQL refused (postgresql://***@db: reset by peer). The table is as it was."
    assert told == [f"break_down: {refused}", "stumble: KeyError: 'ehail_fee'"]


def test_what_failed_before_the_sensor_was_started_is_not_told(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.fail()
    done = tick(watch.instance, watch.office, None, time.time() + 1, time.time() + 2)
    assert (done.told, done.waiting) == (0, 0)
    assert receiver.asked == []


def test_what_failed_between_its_start_and_its_first_tick_is_told(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.fail()
    assert watch.tick().told == 1


def test_a_cursor_that_is_none_begins_anew(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.fail()
    watch.tick()
    watch.cursor = "somebody's own"
    assert watch.tick().told == 0  # the run's log knows
    assert len(receiver.taken) == 1


@pytest.mark.parametrize("trouble", ["refuses", "hangs", "is away"])
def test_a_message_that_cannot_be_delivered_is_kept_until_it_can(
    trouble: str, watching: Watching, receiver: AlertReceiver
) -> None:
    with AlertReceiver() as sound:
        watch = watching(receiver.url, sound.url)
        watch.tick()
        if trouble == "refuses":
            receiver.status = 500
        elif trouble == "hangs":
            receiver.hangs = True
        else:
            receiver.__exit__(None, None, None)
        watch.fail()
        first = watch.tick()
        assert (first.told, first.waiting, len(first.problems)) == (1, 1, 1)
        assert first.problems[0].startswith("json (1 of 2) could not be told: ")
        assert first.problems[0].endswith("; again in 30 s")
        assert watch.tick(later=10).told == 0  # not before its pause is over
        receiver.status, receiver.hangs = 200, False
        if trouble == "is away":
            receiver.__enter__()
        watch.fail(stumble)
        assert watch.tick(later=60).told == 3
        assert watch.tick(later=LONGEST_PAUSE).waiting == 0
        assert [len(receiver.taken), len(sound.taken)] == [2, 2]


def test_a_failure_is_no_longer_told_after_a_day_and_its_log_says_so(
    watching: Watching, receiver: AlertReceiver
) -> None:
    receiver.status = 500
    watch = watching(receiver.url)
    watch.tick()
    run_id = watch.fail()
    watch.tick()
    assert watch.tick(later=KEEP - 60).waiting == 1
    last = watch.tick(later=61)
    assert last.waiting == 0
    assert f"gave up telling json of run {run_id}" in last.problems[-1]
    log = watch.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    assert log[-1].dagster_event
    assert "gave up after 24 hours; never told json" in str(log[-1].dagster_event.message)


def test_a_daemon_killed_before_it_stored_the_cursor_tells_nothing_twice(
    watching: Watching, receiver: AlertReceiver
) -> None:
    with AlertReceiver() as refusing:
        refusing.status = 500
        watch = watching(receiver.url, refusing.url)
        watch.tick()
        before = watch.cursor
        watch.fail()
        watch.tick()
        watch.cursor = before
        refusing.status = 200
        watch.tick(later=LONGEST_PAUSE)
        assert [len(receiver.taken), len(refusing.taken)] == [1, 1]


def test_a_storm_comes_as_ten_messages_and_everybody_is_in_one(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.tick()
    for number in range(12):
        watch.fail(**{"dagster/partition": f"2020-{number + 1:02d}"})
    assert watch.tick().told == BURST
    assert [message["title"] for message in receiver.taken[-2:]] == [
        "taxi_platform: green 2020-09 failed",
        "taxi_platform: 3 runs failed",
    ]
    watch.fail()
    assert (watch.tick().told, watch.tick(later=INTERVAL).told) == (0, 1)
    assert watch.tick().waiting == 0


def test_a_plugin_that_raises_or_does_not_end_stops_nobody(
    watching: Watching, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apprise.plugins.custom_xml

    def burst(*_: object, **__: object) -> bool:
        raise RuntimeError("xml://token-of-mine/ is broken")

    monkeypatch.setattr(apprise.plugins.custom_xml.NotifyXML, "send", burst)
    watch = watching("xml://token-of-mine/", receiver.url)
    watch.tick()
    watch.fail()
    done = watch.tick()
    assert (done.told, done.waiting) == (1, 1)
    assert "token-of-mine" not in "".join(done.problems)
    assert len(receiver.taken) == 1


def test_an_address_that_apprise_does_not_know_is_a_problem_and_no_end(
    watching: Watching, receiver: AlertReceiver
) -> None:
    watch = watching("pigeon://token-of-mine/", receiver.url)
    watch.tick()
    watch.fail()
    done = watch.tick()
    assert done.problems == [
        "pigeon (1 of 2) could not be told: Apprise knows no service pigeon://; again in 30 s",
    ]
    assert len(receiver.taken) == 1


def test_no_secret_of_an_address_is_in_the_cursor_the_problems_the_logs_or_the_output(
    watching: Watching,
    receiver: AlertReceiver,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    receiver.status = 401
    watch = watching(receiver.url, "pigeon://token-of-mine/x", "slack://token-of-mine/y")
    watch.tick()
    watch.fail()
    first = watch.tick()
    receiver.status = 200
    second = watch.tick(later=60)
    assert len(first.problems) == 3
    kept = b"".join(found.read_bytes() for found in tmp_path.rglob("*") if found.is_file())
    said = "".join([*first.problems, *second.problems, first.cursor, second.cursor, *capfd.readouterr(), caplog.text])
    for secret in (receiver.password, "token-of-mine"):
        assert secret not in said
        assert secret.encode() not in kept


def test_a_log_that_cannot_be_understood_is_told_as_that(
    watching: Watching, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("an event from the future")

    watch = watching(receiver.url)
    watch.tick()
    watch.fail()
    monkeypatch.setattr("taxi_platform.operations.alerts.failed_runs.failed_run", fail)
    assert watch.tick().told == 1
    assert "its log cannot be read (LookupError: an event from the future)" in receiver.taken[0]["message"]


def test_more_than_one_address_is_asked_at_the_same_time(watching: Watching, receiver: AlertReceiver) -> None:
    asked: list[str] = []

    def slow(address: Address, message: Message) -> str | None:
        asked.append(address.name)
        while len(asked) < 2:
            time.sleep(0.01)
        return None

    watch = watching(receiver.url, "json://127.0.0.1:9/")
    watch.office = Office(watch.office.addresses, "http://ui:3000", redact, slow)
    watch.tick()
    watch.fail()
    assert watch.tick().told == 2


def test_a_range_is_one_message_with_each_failed_month(
    platform: Platform, watching: Watching, receiver: AlertReceiver, tmp_path: Path
) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    platform.use(TAXI_SOURCE=str(folder))
    run = platform.run("green_tripdata", months="2019-01...2019-03")
    assert not run.succeeded
    office = Office(addresses_of(receiver.url), "http://ui:3000", redact, deliver)
    done = tick(platform.instance, office, None, NOW - 1, time.time())
    assert done.told == 1
    (message,) = receiver.taken
    lines = message["message"].splitlines()
    assert message["title"] == "taxi_platform: green 2019-01...2019-03 failed"
    assert lines[0] == "green_tripdata: 3 of 3 months of green failed."
    assert [line[:11] for line in lines[1:4]] == ["  2019-01: ", "  2019-02: ", "  2019-03: "]
    assert "has no green_tripdata_2019-02.csv.gz" in lines[2]
    assert lines[4] == "Started by: manual"
