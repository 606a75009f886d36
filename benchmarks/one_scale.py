"""``python -m benchmarks.one_scale``: make all months seem loaded, and time everything that depends on their number.

One month of each service is loaded; its load record and Dagster's records are copied for the others. Some months lie in
the future, so the clocks of Dagster and of the platform are set forward.
"""

import io
import json
import resource
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime, timezone
from typing import Any
from unittest.mock import patch

import dagster as dg
import psycopg
from dagster._core.test_utils import freeze_time
from sqlalchemy import text

from taxi_platform.cli.backfill import run_backfill
from taxi_platform.cli.status import show_status
from taxi_platform.definitions import defs
from taxi_platform.ledger.events import latest_materializations
from taxi_platform.ledger.reading import read_months
from taxi_platform.orchestration.partitions import monthly_partitions
from taxi_platform.postgres.loader import load_month
from taxi_platform.settings import settings
from taxi_platform.sources.cache import Cache
from taxi_platform.sources.source import source_named
from taxi_platform.trips import partitions
from taxi_platform.trips.keys import table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import GREEN, SERVICES

SEED, SPARE = Month(2019, 3), Month(2019, 4)
IN_POSTGRES = 1000  # the most partitions of green's table, because more take long to create
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NOW = datetime(3000, 1, 15, tzinfo=timezone.utc)

COPY_EVENTS = """
insert into event_logs (run_id, event, dagster_event_type, "timestamp", step_key, asset_key, partition)
select run_id, replace(event, :seed, month), dagster_event_type, "timestamp", step_key, asset_key, month
from event_logs, unnest(cast(:months as text[])) as month where partition = :seed order by month, id"""
COPY_CHECKS = """
insert into asset_check_executions (asset_key, check_name, partition, run_id, execution_status,
    evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id)
select asset_key, check_name, month, run_id, execution_status,
    evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id
from asset_check_executions, unnest(cast(:months as text[])) as month where partition = :seed"""
COPY_RECORDS = """
insert into tripdata_files select (jsonb_populate_record(f, jsonb_build_object(
    'filename', replace(filename, %(seed)s, month),
    'partition_name', partition,
    'filenode', coalesce(pg_relation_filenode(to_regclass(partition)), 0)
))).* from tripdata_files as f, unnest(%(months)s::text[]) as month,
    replace(partition_name, replace(%(seed)s, '-', '_'), replace(month, '-', '_')) as partition"""


def main() -> None:
    """Create the records, measure, and print everything as JSON."""
    with freeze_time(NOW), patch.object(partitions, "_this_month", lambda *_: Month(3000, 1)):
        first, last = month_range(settings(), GREEN)
        others = [month for month in first.through(last) if month not in (SEED, SPARE)]
        url = str(settings().postgres_url.get_secret_value())  # pyright: ignore
        found: dict[str, Any] = {"partitions": 2 * len(SERVICES) * (len(others) + 2), "months": f"{first}..{last}"}
        # This comes first, because a process loads the definitions only once.
        found["definitions_s"] = _both(lambda: defs().get_repository_def())
        with dg.DagsterInstance.get() as instance:
            _load_seed(instance)
            found["attached"], found["attach_ms"] = _copy_tables(url, others)
            _copy_records(instance, others)
            found["states"] = Counter(each.state for each in read_months(instance, [GREEN]).months[GREEN.name].values())
            found["keys_s"] = _timed(lambda: monthly_partitions(GREEN).get_partition_keys())
            found["records_s"] = _both(lambda: latest_materializations(instance, table_key(GREEN.table)))
        found["status_s"] = _both(lambda: show_status(as_json=False, ask_source=False))
        found["plan_s"] = _both(lambda: run_backfill("all", "..", choice="all", dry_run=True))
        file = Cache(settings().data_dir / "raw", source_named(settings().source)).get(GREEN, SPARE).file
        found["load_s"] = load_month(url, file).seconds
        found["reload_s"] = load_month(url, file, force=True).seconds
        with psycopg.connect(url) as connection:
            one = f"explain select count(*) from green_tripdata where filename = '{GREEN.file_name(SPARE)}'"
            found["explain_one_s"] = _timed(lambda: connection.execute(one.encode()))
            found["explain_all_s"] = _timed(lambda: connection.execute(b"explain select count(*) from green_tripdata"))
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found))


def _load_seed(instance: dg.DagsterInstance) -> None:
    job = defs().resolve_implicit_global_asset_job_def()
    for service in SERVICES.values():
        loaded = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["raw", service.table]), dg.AssetKey(service.table)],
            partition_key=str(SEED),
            run_config=QUIET,
        )
        assert loaded.success, service


def _copy_tables(url: str, months: list[Month]) -> tuple[int, float]:
    """Attach empty partitions to green's table; return their number and the average milliseconds of the last ten."""
    with psycopg.connect(url, autocommit=True) as connection:
        last: list[float] = []
        for month in months[:IN_POSTGRES]:
            partition = GREEN.partition_table(month)
            connection.execute(f"create table {partition} (like green_tripdata including generated)".encode())
            value = f"'{GREEN.file_name(month)}'"
            attach = f"alter table green_tripdata attach partition {partition} for values in ({value})".encode()
            last.append(_timed(lambda attach=attach: connection.execute(attach)))
        texts = {"seed": str(SEED), "months": [str(month) for month in months]}
        connection.execute(COPY_RECORDS.encode(), texts)
        connection.execute(b"analyze tripdata_files")
    return len(last) + 1, round(1000 * sum(last[-10:]) / 10, 1)


def _copy_records(instance: dg.DagsterInstance, months: list[Month]) -> None:
    texts = {"seed": str(SEED), "months": [str(month) for month in months]}
    with instance.event_log_storage.index_connection() as connection:  # pyright: ignore
        connection.execute(text(COPY_EVENTS), texts)
        connection.execute(text(COPY_CHECKS), texts)
        connection.execute(text("analyze event_logs, asset_check_executions"))


def _timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes, and discard what it prints."""
    began = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        action()
    return round(time.perf_counter() - began, 4)


def _both(action: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that an action takes, and this process's processor time for it."""
    began = time.process_time()
    return _timed(action), round(time.process_time() - began, 4)


if __name__ == "__main__":
    main()
