"""Twenty runs at once, as a real daemon starts them: the limits of ``dagster.yaml`` hold, and all succeed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
import yaml

from taxi_platform.months import Month
from taxi_platform.settings import PROJECT
from taxi_platform_tests.daemon_runs import Deployment

CONCURRENCY = yaml.safe_load((PROJECT / "dagster.yaml").read_text())["concurrency"]
POOL = CONCURRENCY["pools"]["default_limit"]
BACKFILL = CONCURRENCY["runs"]["tag_concurrency_limits"][0]["limit"]
MONTHS = [str(month) for month in Month(2019, 1).through(Month(2020, 8))]


@pytest.fixture
def trips(database: str) -> Iterator[str]:
    """Another database than that of the state, as deployments have it."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
        yield urlsplit(database)._replace(path=f"/{name}").geturl()
        connection.execute(f"drop database {name} with (force)".encode())


def most_at_once(deployment: Deployment, run_ids: Sequence[str]) -> int:
    """How many of these runs were in progress at the same time, by what was recorded of their starts and ends."""
    moments: list[tuple[float, int]] = []
    for run_id in run_ids:
        log = deployment.instance.all_logs(
            run_id, of_type={dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_SUCCESS}
        )
        begun, ended = sorted(entry.timestamp for entry in log)
        moments += [(begun, 1), (ended, -1)]
    steps = [step for _, step in sorted(moments)]
    return max(sum(steps[: count + 1]) for count in range(len(steps)))


def test_of_twenty_runs_at_once_no_more_than_the_limits_allow_are_in_progress(
    database: str, trips: str, tmp_path: Path
) -> None:
    config = {"auto_materialize": {"enabled": False, "use_sensors": False}}  # no runs but those of the test
    with Deployment(tmp_path, database, config, TAXI_SOURCE="sample:0.001", TAXI_POSTGRES_URL=trips) as deployment:
        backfill = [deployment.submit("green_tripdata", month, {"dagster/backfill": "b"}) for month in MONTHS[:12]]
        others = [deployment.submit("green_tripdata", month) for month in MONTHS[12:]]
        for run_id in (*backfill, *others):
            assert deployment.wait_for(run_id).status == dg.DagsterRunStatus.SUCCESS
        assert 2 <= most_at_once(deployment, [*backfill, *others]) <= POOL
        assert most_at_once(deployment, backfill) <= BACKFILL < POOL
        ends = {record.dagster_run.run_id: record.end_time or 0 for record in deployment.instance.get_run_records()}
        assert min(ends[run_id] for run_id in others) < max(ends[run_id] for run_id in backfill)
        assert "is locked" not in deployment.log("daemon") + deployment.log("code server")
    with psycopg.connect(trips) as connection:
        rows = connection.execute("select filename, count(*) from green_tripdata group by 1 order by 1").fetchall()
        known = connection.execute("select filename, rows_in_file from tripdata_files order by 1").fetchall()
    assert rows == known
    assert [name[-11:-4] for name, _ in known] == MONTHS
