"""How a run stores its events: over one connection that it keeps, and that may break."""

import dagster as dg
import psycopg
import pytest

from taxi_platform_tests.support.shell import instance

MONTHS = dg.TimeWindowPartitionsDefinition(start="2019-01", end="2021-08", fmt="%Y-%m", cron_schedule="0 0 1 * *")
SPAN = {"dagster/asset_partition_range_start": "2019-01", "dagster/asset_partition_range_end": "2021-07"}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def sessions(database: str) -> int:
    """How many connections were ever made to the database by processes that have closed them."""
    with psycopg.connect(database) as connection:
        query = "select sessions from pg_stat_database where datname = current_database()"
        return connection.execute(query).fetchall()[0][0]


def open_now(database: str) -> int:
    with psycopg.connect(database) as connection:
        query = (
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        return connection.execute(query).fetchall()[0][0]


def test_the_events_of_a_run_do_not_take_a_connection_each(database: str) -> None:
    @dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run())
    def nothing(context: dg.AssetExecutionContext) -> None:
        context.log.info("begun")
        counts.append(sessions(database))

    counts: list[int] = []
    with instance(database) as opened:
        assert dg.materialize([nothing], instance=opened, tags=SPAN, run_config=QUIET).success
        assert len(opened.get_materialized_partitions(dg.AssetKey("nothing"))) == 31
        assert sessions(database) - counts[0] < 31
        assert open_now(database) == 0


@pytest.mark.parametrize("times", [1, 3])
def test_a_run_whose_connection_breaks_stores_its_events_all_the_same(database: str, times: int) -> None:
    @dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run())
    def interrupted(context: dg.AssetExecutionContext) -> None:
        for number in range(times):
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            context.log.info(f"broken {number}")

    with instance(database) as opened:
        result = dg.materialize([interrupted], instance=opened, tags=SPAN, run_config=QUIET)
        assert result.success
        assert len(opened.get_materialized_partitions(dg.AssetKey("interrupted"))) == 31
        said = [entry.message for entry in opened.all_logs(result.run_id)]
        assert [f"broken {number}" for number in range(times)] == [line for line in said if line.startswith("broken")]
