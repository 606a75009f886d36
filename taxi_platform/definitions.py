"""The code location: everything under ``defs/``, and nothing else."""

import warnings
from pathlib import Path

import dagster as dg

HERE = Path(__file__).parent


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources of the platform.

    ``dg.load_from_defs_folder`` would do the same, and import every installed library of Dagster's to list the
    components that they have: BigQuery's client, pandas and more, about a second in the process of every run.
    """
    with warnings.catch_warnings():
        # The loader's own, which load_from_defs_folder silences too.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.ComponentTree.for_project(HERE).build_defs_at_path(HERE / "defs")
