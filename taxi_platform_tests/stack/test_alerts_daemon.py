"""The alert as the daemon runs it: Dagster's own queue, run monitoring, retries and sensor loop, and killed workers."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from taxi_platform.settings import settings
from taxi_platform_tests.support.alert_receiver import AlertReceiver

PATIENCE = 300

CONFIG = """
telemetry: {enabled: false}
storage: {custom: {module: taxi_platform.orchestration.storage, class: StateStorage, config: {}}}
run_monitoring: {enabled: true, poll_interval_seconds: 1, start_timeout_seconds: 120}
run_retries: {enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false}
"""

# Runs that fail in every way that there is, begun by a sensor of their own at its first tick.
CODE = """
import os, signal
import dagster as dg
from taxi_platform.defs import operations as alerts
from taxi_platform.errors import NotPublished
from taxi_platform.settings import settings

alerts.INTERVAL_SECONDS = 1  # so that ticks come between a failure and what is decided about its retry

@dg.op
def refuse():
    raise NotPublished("green_tripdata_2031-01.csv.gz", "the source does not have it", "Choose another month.")

@dg.op
def die(context):
    if context.run.tags["dies"] == "always" or context.run.parent_run_id is None:
        os.kill(os.getpid(), signal.SIGKILL)

@dg.job
def refused():
    refuse()

@dg.job
def dying():
    die()

@dg.sensor(jobs=[refused, dying], default_status=dg.DefaultSensorStatus.RUNNING)
def starter():
    yield dg.RunRequest(run_key="refused", job_name="refused", tags={"taxi": "green", "dagster/partition": "2031-01"})
    yield dg.RunRequest(run_key="once", job_name="dying", tags={"taxi": "yellow", "dies": "once"})
    yield dg.RunRequest(run_key="always", job_name="dying", tags={"taxi": "fhv", "dies": "always"})

defs = dg.Definitions(jobs=[refused, dying], sensors=[starter, alerts.failure_alert(settings())],
                      executor=dg.in_process_executor)
"""


@contextmanager
def daemon(home: Path, **environment: str) -> Iterator[None]:
    """The daemon on a folder with ``dagster.yaml`` and ``ways_to_fail.py``; killed in the end with what it began."""
    with (home / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "dagster-daemon", "run", "-f", "ways_to_fail.py"],
            cwd=home,
            env={**os.environ, "DAGSTER_HOME": str(home), **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def until(said: str, holds: Callable[[], bool], home: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"{said} did not come to pass:\n{(home / 'daemon.log').read_text()[-4000:]}")
        time.sleep(0.2)


def test_one_message_a_failure_and_none_for_what_a_retry_mends(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text(CONFIG)
    (tmp_path / "ways_to_fail.py").write_text(CODE)
    monkeypatch.setenv("TAXI_DAGSTER_POSTGRES_URL", database)
    settings.cache_clear()
    with AlertReceiver() as receiver, dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        told_to = {"TAXI_ALERT_URLS": receiver.url, "TAXI_WEB_URL": "https://dagster.example/"}

        def ended() -> bool:
            return len([run for run in instance.get_runs() if run.is_finished]) == 5

        with daemon(tmp_path, **told_to):
            until("every run's end", ended, tmp_path)
            until("both messages", lambda: len(receiver.taken) >= 2, tmp_path)
            ticks = ticks_of(instance)
            until("the end of their tick", lambda: ticks_of(instance) > ticks + 1, tmp_path)
        taken = len(receiver.taken)
        with daemon(tmp_path, **told_to):  # after a kill -9, with failures that are known
            ticks = ticks_of(instance)
            until("more ticks", lambda: ticks_of(instance) > ticks + 2, tmp_path)
        assert taken == len(receiver.taken) == 2
        told = {message["title"]: message["message"] for message in receiver.taken}
        runs = {run.tags["taxi"]: run for run in instance.get_runs(limit=5)[::-1]}
    assert told.keys() == {"taxi_platform: green 2031-01 failed", "taxi_platform: fhv failed"}
    assert told["taxi_platform: green 2031-01 failed"].splitlines()[0] == (
        "refuse: green_tripdata_2031-01.csv.gz: the source does not have it. Choose another month."
    )
    assert f"https://dagster.example/runs/{runs['green'].run_id}" in told["taxi_platform: green 2031-01 failed"]
    # Whoever of the two finds it first: the code server, which was its parent, or the monitor.
    assert re.search(r"terminated by signal 9|Detected run worker status", told["taxi_platform: fhv failed"])
    assert "Retries before: 1" in told["taxi_platform: fhv failed"]
    assert runs["fhv"].parent_run_id  # the message is about the last attempt
    assert runs["fhv"].run_id in told["taxi_platform: fhv failed"]


def ticks_of(instance: dg.DagsterInstance) -> int:
    states = [state for state in instance.all_instigator_state() if state.name == "run_failure_alert"]
    return len(instance.get_ticks(states[0].instigator_origin_id, states[0].selector_id)) if states else 0
