"""``python -m benchmarks.one_status COUNT``: load every month of every service, then time ``taxi status`` COUNT times.

Prints as JSON the numbers of months and events, and the seconds of each repetition.
"""

import io
import json
import sys
import time
from contextlib import redirect_stdout

import dagster as dg
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import text

from taxi_platform.cli import status
from taxi_platform.definitions import defs
from taxi_platform.ledger.reading import read_months
from taxi_platform.settings import settings
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SERVICES

DOUBLINGS = 4
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
# Copies all events. Run four times, it makes as many events as loading every month sixteen times, but faster.
DOUBLE = """
insert into event_logs (run_id, event, dagster_event_type, "timestamp", step_key, asset_key, partition)
select run_id, event, dagster_event_type, "timestamp", step_key, asset_key, partition from event_logs order by id"""


def main(count: str) -> None:
    """Load the months, time ``taxi status``, and print the figures."""
    with dg.DagsterInstance.get() as instance:
        _load(instance)
        storage = instance.event_log_storage
        with storage.index_connection() as connection:  # pyright: ignore
            for _ in range(DOUBLINGS):
                connection.execute(text(DOUBLE))
            connection.execute(text("analyze event_logs"))
            (events,) = connection.execute(text("select count(*) from event_logs")).one()
        shown = read_months(instance, list(SERVICES.values())).shown()
        months = [state for states in shown.values() for state in states.values()]
        assert all(month.state == "materialized" for month in months)
    began = time.perf_counter()
    with dg.DagsterInstance.get():
        opening = time.perf_counter() - began
    seconds, processor = zip(*(_once() for _ in range(int(count))), strict=True)
    found = {"months": len(months), "events": events, "seconds": seconds, "processor": processor, "opening": opening}
    print(json.dumps(found))


def _load(instance: dg.DagsterInstance) -> None:
    job = defs().resolve_implicit_global_asset_job_def()
    for service in SERVICES.values():
        first, last = month_range(settings(), service)
        span = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
        assert job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(service.table)],
            tags=span,
            run_config=QUIET,
        ).success


def _once() -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    with redirect_stdout(io.StringIO()):
        status.show_status(as_json=False, ask_source=False)
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    assert DagsterPostgresStorage  # imported here, so that the import is not timed
    main(sys.argv[1])
