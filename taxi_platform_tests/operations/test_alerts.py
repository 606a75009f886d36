"""The alert, tick by tick: runs that fail, a real instance, Apprise, and a receiver that answers, refuses or hangs."""

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.errors import DatabaseRefused, NotPublished
from taxi_platform.operations import alerts
from taxi_platform.operations.alerts import KEEP_SECONDS, Address, AlertTick, Message, addresses_of, tick
from taxi_platform_tests.support.alert_receiver import AlertReceiver
from taxi_platform_tests.support.asset_runs import Platform, instance_in_memory

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
    """The sensor without a daemon: it keeps its cursor, and its clock can be moved forward."""

    def __init__(self, instance: dg.DagsterInstance, *urls: str) -> None:
        self.instance = instance
        self.urls = " ".join(urls)
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

    def tick(self, later: float = 30, started: float = NOW - 1) -> AlertTick:
        self.now += later
        done = tick(
            self.instance,
            addresses_of(self.urls),
            self.cursor,
            started=started,
            now=self.now,
            web_url="http://ui:3000",
        )
        self.cursor = done.cursor.model_dump_json()
        return done


Watching = Callable[..., Watch]


@pytest.fixture
def receiver() -> Iterator[AlertReceiver]:
    with AlertReceiver() as open_receiver:
        yield open_receiver


@pytest.fixture
def watching() -> Iterator[Watching]:
    with instance_in_memory() as instance:
        yield partial(Watch, instance)


@pytest.fixture
def watching_on_disk(tmp_path: Path) -> Iterator[Watching]:
    """Yield the same as ``watching``, with a state whose files can be searched."""
    (tmp_path / "dagster.yaml").touch()
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield partial(Watch, instance)


def test_a_failure_is_reported_once_with_its_root_error_and_a_link(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.tick()
    run_id = watch.fail()
    assert watch.tick().delivered == 1
    assert watch.tick().delivered == 0
    (message,) = receiver.taken
    assert message["title"] == "taxi_platform: green 2019-03 failed"
    assert message["type"] == "failure"
    assert message["message"].splitlines() == [
        "refuse: green_tripdata_2019-03.csv.gz: the source does not have it. Choose another month.",
        f"Run: http://ui:3000/runs/{run_id}",
    ]


def test_the_deepest_of_our_own_errors_is_reported_without_passwords(
    watching: Watching, receiver: AlertReceiver
) -> None:
    watch = watching(receiver.url)
    watch.tick()
    watch.fail(break_down)
    watch.fail(stumble)
    watch.tick()
    first_lines = [message["message"].splitlines()[0] for message in receiver.taken]
    refused = "green_tripdata: PostgreSQL refused (postgresql://***@db: reset by peer). The table is as it was."
    assert first_lines == [f"break_down: {refused}", "stumble: KeyError: 'ehail_fee'"]


def test_what_failed_before_the_sensor_was_started_is_not_reported(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.fail()
    done = watch.tick(started=time.time() + 1)
    assert (done.delivered, done.cursor.pending) == (0, {})
    assert receiver.asked == []


def test_after_an_unreadable_cursor_nothing_is_reported_twice(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.fail()
    watch.tick()
    watch.cursor = "somebody's own"
    assert watch.tick().delivered == 0  # the run's log records the delivery
    assert len(receiver.taken) == 1


def test_a_cursor_of_version_0_1_is_continued(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.fail()
    watch.tick()
    after = alerts.AlertCursor.model_validate_json(watch.cursor or "").after
    watch.fail(stumble)
    watch.cursor = json.dumps(
        {"after": after, "seen": [after], "waiting": {"run": {"since": 0, "told": []}}, "lines": {}}
    )
    assert watch.tick().delivered == 1
    assert receiver.taken[-1]["message"].startswith("stumble: ")


@pytest.mark.parametrize("trouble", ["refuses", "hangs", "is away"])
def test_a_message_that_cannot_be_delivered_is_tried_again_on_later_ticks(
    trouble: str, watching: Watching, receiver: AlertReceiver
) -> None:
    with AlertReceiver() as working:
        watch = watching(receiver.url, working.url)
        watch.tick()
        if trouble == "refuses":
            receiver.status = 500
        elif trouble == "hangs":
            receiver.hangs = True
        else:
            receiver.__exit__(None, None, None)
        watch.fail()
        first = watch.tick()
        assert (first.delivered, len(first.cursor.pending), len(first.problems)) == (1, 1, 1)
        assert first.problems[0].startswith("json (1 of 2) could not be notified: ")
        watch.fail(stumble)
        second = watch.tick()
        assert (second.delivered, len(second.problems)) == (1, 1)  # a failing address is tried once per tick
        receiver.status, receiver.hangs = 200, False
        if trouble == "is away":
            receiver.__enter__()
        assert watch.tick().delivered == 2
        assert watch.tick().cursor.pending == {}
        assert [len(receiver.taken), len(working.taken)] == [2, 2]


def test_a_failure_is_given_up_after_a_day(watching: Watching, receiver: AlertReceiver) -> None:
    receiver.status = 500
    watch = watching(receiver.url)
    watch.tick()
    run_id = watch.fail()
    watch.tick()
    assert watch.tick(later=KEEP_SECONDS - 60).cursor.pending.keys() == {run_id}
    last = watch.tick(later=61)
    assert last.cursor.pending == {}
    assert last.problems[-1] == f"gave up notifying json of run {run_id}"


def test_a_daemon_killed_before_it_stored_the_cursor_reports_nothing_twice(
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
        watch.tick()
        assert [len(receiver.taken), len(refusing.taken)] == [1, 1]


def test_a_tick_ends_in_time_and_the_next_one_continues(
    watching: Watching, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watching(receiver.url)
    watch.tick()
    watch.fail()
    with monkeypatch.context() as patch:
        patch.setattr(alerts, "TICK_SECONDS", -1.0)
        assert watch.tick().delivered == 0
    assert watch.tick().delivered == 1


def test_a_run_is_reported_once_although_its_failure_was_recorded_twice(
    watching: Watching, receiver: AlertReceiver
) -> None:
    """Check that a failure that the health check records a second time, after a kill, is not reported again."""
    watch = watching(receiver.url)
    watch.tick()
    run = watch.instance.get_run_by_id(watch.fail())
    assert run
    watch.tick()
    watch.instance.report_run_failed(run, "once more")
    watch.tick()
    assert len(receiver.taken) == 1


def test_a_plugin_that_raises_or_hangs_does_not_stop_the_others(
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
    assert (done.delivered, len(done.cursor.pending)) == (1, 1)
    assert "token-of-mine" not in "".join(done.problems)
    assert len(receiver.taken) == 1


def test_no_secret_of_an_address_is_in_the_cursor_the_problems_the_logs_or_the_output(
    watching_on_disk: Watching,
    receiver: AlertReceiver,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    receiver.status = 401
    watch = watching_on_disk(receiver.url, "pigeon://token-of-mine/x", "slack://token-of-mine/y")
    watch.tick()
    watch.fail()
    first = watch.tick()
    receiver.status = 200
    second = watch.tick(later=60)
    assert len(first.problems) == 3
    assert (
        "pigeon (2 of 3) could not be notified: Apprise knows no service pigeon://; it is tried again" in first.problems
    )
    kept = b"".join(found.read_bytes() for found in tmp_path.rglob("*") if found.is_file())
    written = "".join(
        [*first.problems, *second.problems, str(first.cursor), str(second.cursor), *capfd.readouterr(), caplog.text]
    )
    for secret in (receiver.password, "token-of-mine"):
        assert secret not in written
        assert secret.encode() not in kept


def test_several_addresses_are_notified_at_the_same_time(
    watching: Watching, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def slow(address: Address, message: Message) -> str | None:
        asked.append(address.name)
        while len(asked) < 2:
            time.sleep(0.01)
        return None

    watch = watching(receiver.url, "json://127.0.0.1:9/")
    monkeypatch.setattr(alerts, "deliver", slow)
    watch.tick()
    watch.fail()
    assert watch.tick().delivered == 2


def test_a_range_is_one_message_with_each_failed_month(
    platform: Platform, watching: Watching, receiver: AlertReceiver, tmp_path: Path
) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    platform.use(TAXI_SOURCE=str(folder))
    run = platform.run("green_tripdata", months="2019-01...2019-03")
    assert not run.succeeded
    assert Watch(platform.instance, receiver.url).tick(later=60).delivered == 1
    (message,) = receiver.taken
    lines = message["message"].splitlines()
    assert message["title"] == "taxi_platform: green 2019-01...2019-03 failed"
    assert lines[0] == "green_tripdata: 3 of 3 months of green failed."
    assert [line[:11] for line in lines[1:4]] == ["  2019-01: ", "  2019-02: ", "  2019-03: "]
    assert "has no green_tripdata_2019-02.csv.gz" in lines[2]
    assert lines[4] == "Started by: manual"


# Checks that warn


def test_a_check_is_reported_when_it_begins_to_warn_and_not_again_while_it_warns(
    watching: Watching, receiver: AlertReceiver
) -> None:
    watch = watching(receiver.url)
    watch.tick()
    outcomes = {"2019-01": "3 rows are late", "2019-02": "5 rows are late", "2019-03": ""}
    months = dg.StaticPartitionsDefinition(list(outcomes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        spec = dg.AssetCheckSpec("rows_are_in_time", asset="trips", partitions_def=months)

    @dg.multi_asset_check(specs=[spec])
    def checks() -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        for month, text in outcomes.items():
            yield dg.AssetCheckEvaluation(
                dg.AssetKey("trips"),
                "rows_are_in_time",
                passed=not text,
                severity=dg.AssetCheckSeverity.WARN,
                description=text,
                partition=month,
            )
        yield dg.Output(None, output_name=spec.get_python_identifier())

    def reported(**changed: str) -> list[str]:
        """Return the lines of the message about a run, without the link."""
        outcomes.update(changed)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        everything = dg.AssetSelection.all_asset_checks()
        dg.materialize([checks], instance=watch.instance, selection=everything, run_config=quiet)
        before = len(receiver.taken)
        watch.tick()
        assert watch.tick().delivered == 0
        return [line for message in receiver.taken[before:] for line in message["message"].splitlines()[:-1]]

    assert reported() == [
        "trips, rows_are_in_time: 2 months",
        "  2019-01: 3 rows are late",
        "  2019-02: 5 rows are late",
    ]
    assert (receiver.taken[0]["title"], receiver.taken[0]["type"]) == (
        "taxi_platform: __ephemeral_asset_job__ warns",
        "warning",
    )
    assert reported() == []
    assert reported(**{"2019-01": "4 rows are late"}) == []
    assert reported(**{"2019-02": ""}) == []
    assert reported(**{"2019-02": "5 rows are late"}) == ["trips, rows_are_in_time 2019-02: 5 rows are late"]


def test_a_warning_of_a_run_that_was_cancelled_is_reported(watching: Watching, receiver: AlertReceiver) -> None:
    watch = watching(receiver.url)
    watch.tick()

    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("rows_are_in_time", asset="trips")])
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        context.instance.report_run_canceling(context.run)
        yield dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, description="3 rows are late")
        raise dg.DagsterExecutionInterruptedError

    with pytest.raises(dg.DagsterExecutionInterruptedError):
        dg.materialize([check], instance=watch.instance, selection=dg.AssetSelection.all_asset_checks())
    (run,) = watch.instance.get_runs()
    assert run.status == dg.DagsterRunStatus.CANCELED
    assert watch.tick().delivered == 1
    assert "trips, rows_are_in_time: 3 rows are late" in receiver.taken[0]["message"]
    assert receiver.taken[0]["title"].endswith(" warns")


def test_a_month_that_is_overdue_is_reported_once(platform: Platform, receiver: AlertReceiver) -> None:
    watch = Watch(platform.instance, receiver.url)
    for _ in range(2):
        assert platform.run_job("upkeep_checks_job", dg.RunRequest()).succeeded
        watch.tick()
    (message,) = receiver.taken
    assert message["title"] == "taxi_platform: upkeep_checks_job warns"
    first = "green_tripdata, last_finished_month_is_there: 2021-07 is due and not loaded; no month is loaded. "
    assert f"{first}Load it: taxi backfill green 2021-07." in message["message"]


# Addresses

SLACK = "slack://TokenA/TokenB/TokenC/#alerts"
MAIL = "mailtos://user:pass@example.com?to=a@example.com,b@example.com"


@pytest.mark.parametrize("between", [" ", ",", ", ", "\n", ";", "  ,\n "])
def test_several_addresses_in_one_text_are_numbered_and_each_is_used_once(between: str) -> None:
    addresses = addresses_of(f" {SLACK}{between}{MAIL}{between}{SLACK}\n")
    assert [address.url for address in addresses] == [SLACK, MAIL]
    assert [address.name for address in addresses] == ["slack (1 of 2)", "mailtos (2 of 2)"]
    assert [address.name for address in addresses_of(SLACK)] == ["slack"]


@pytest.mark.parametrize("text", ["secret-token", "slack://", "json://h/ secret-token", "https:/secret-token"])
def test_what_is_not_an_address_is_named_by_its_number_alone(text: str) -> None:
    with pytest.raises(ValueError, match=r"address \d of \d is not a URL: write service://…") as caught:
        addresses_of(text)
    assert "secret" not in str(caught.value)


def test_neither_the_name_nor_the_repr_of_an_address_gives_a_secret_away() -> None:
    address = addresses_of(SLACK)[0]
    assert "Token" not in f"{address!r} {address.name}"
