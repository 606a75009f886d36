"""A code location with monthly assets that do nothing, to measure the time of Dagster's daemon, queue and records."""

import dagster as dg

MONTHS = dg.TimeWindowPartitionsDefinition(start="2019-01", end="2021-08", fmt="%Y-%m", cron_schedule="0 0 1 * *")


def nothing(name: str) -> dg.AssetsDefinition:
    """Return an asset that does nothing, with the months, backfill policy and pool of a trip table."""

    @dg.asset(name=name, partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run(), pool="postgres")
    def asset() -> None:
        """Do nothing."""

    return asset


defs = dg.Definitions(assets=[nothing("trivial_green"), nothing("trivial_yellow")], executor=dg.in_process_executor)
