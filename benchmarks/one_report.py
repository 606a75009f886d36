"""``python -m benchmarks.one_report [MONTH]``: make the report of one month, or of all months, in a run of Dagster.

Prints as JSON its trips, the seconds of the run, and the peak memory of the process in bytes.
"""

import json
import sys
import time

import dagster as dg

from benchmarks.load_once import peak_memory
from taxi_platform.definitions import defs

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(month: str | None = None) -> None:
    """Materialize the report and print the figures."""
    asset = "monthly_report" if month else "trips_report"
    job = defs().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        began = time.perf_counter()
        done = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(asset)], partition_key=month, run_config=QUIET
        )
        seconds = time.perf_counter() - began
    (made,) = done.asset_materializations_for_node(asset)
    print(json.dumps({"trips": made.metadata["trips"].value, "seconds": seconds, "peak": peak_memory()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
