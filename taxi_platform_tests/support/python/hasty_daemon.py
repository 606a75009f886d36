"""Sets shorter intervals than any setting allows; the Python of a daemon imports this first, see ``haste``."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

os.environ["DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS"] = "2"  # between two searches for runs to retry
# Dagster gives a backfill up after five failures in a row; with shorter intervals the same time has more of them.
os.environ["DAGSTER_MAX_BACKFILL_RETRIES"] = "100"

import dagster as dg
from dagster._daemon import asset_daemon, controller, sensor
from dagster._daemon.auto_run_reexecution import event_log_consumer

controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2  # for backfills; 30
sensor.MIN_INTERVAL_LOOP_TIME = asset_daemon.MIN_INTERVAL_LOOP_SECONDS = 2  # 5

SECONDS_TO_STORE_AN_END = 20.0
_retry = event_log_consumer.consume_new_runs_for_automatic_reexecution


def _retry_what_has_ended(context: Any, records: Sequence[dg.RunRecord], logger: Any) -> Iterator[Any]:
    """Wait until the runs have their final status, then decide about retries as Dagster does.

    Dagster stores a run's end first as an event and then as the run's status, seconds later on a very busy machine. It
    decides about a retry when it sees the event; with an interval this short, the status would often still be missing.
    """
    filter_ = dg.RunsFilter(run_ids=[record.dagster_run.run_id for record in records])
    deadline = time.monotonic() + SECONDS_TO_STORE_AN_END
    while time.monotonic() < deadline and not all(record.dagster_run.is_finished for record in records):
        time.sleep(0.1)
        records = context.instance.get_run_records(filter_)
    yield from _retry(context, records, logger)


event_log_consumer.consume_new_runs_for_automatic_reexecution = _retry_what_has_ended
