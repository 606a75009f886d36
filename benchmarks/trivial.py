"""A code location with nothing in it, to hold the platform's commands against."""

import dagster as dg


@dg.asset
def trivial() -> None:
    """Nothing."""


defs = dg.Definitions(assets=[trivial], executor=dg.in_process_executor)
