"""A code location whose monthly assets do nothing: what Dagster's daemon, queue and records take by themselves."""

import dagster as dg

MONTHS = dg.TimeWindowPartitionsDefinition(start="2019-01", end="2021-08", fmt="%Y-%m", cron_schedule="0 0 1 * *")


def nothing(name: str) -> dg.AssetsDefinition:
    """An asset with the months, the policy and the pool of a table of trips, and nothing to do."""

    @dg.asset(name=name, partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run(), pool="postgres")
    def asset() -> None:
        """Nothing."""

    return asset


defs = dg.Definitions(assets=[nothing("trivial_green"), nothing("trivial_yellow")], executor=dg.in_process_executor)
