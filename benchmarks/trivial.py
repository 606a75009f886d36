"""A code location with one asset that does nothing, to compare the platform's commands with."""

import dagster as dg


@dg.asset
def trivial() -> None:
    """Do nothing."""


defs = dg.Definitions(assets=[trivial], executor=dg.in_process_executor)
