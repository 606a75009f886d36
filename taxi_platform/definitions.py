"""The code location: everything under ``defs/``, and nothing else."""

import atexit
import gc
import sys
import warnings
from functools import lru_cache
from importlib import import_module

import dagster as dg

from taxi_platform.dagster_private import load_definitions
from taxi_platform.settings import FILES, Settings, settings


def _end_quickly() -> None:
    """Let Python end without collecting garbage among Dagster's objects: a third of a short process's time."""
    if "duckdb" not in sys.modules:  # which would report its objects as leaks
        gc.freeze()


atexit.register(_end_quickly)


@dg.definitions
def defs() -> dg.Definitions:
    """Return all assets, checks, jobs, schedules, sensors and resources of the platform.

    ``dg.load_from_defs_folder`` would do the same, but it also imports every installed Dagster library to list its
    components, with BigQuery's client and pandas. That takes about a second in the process of every run.
    """
    return _load(settings())  # pyright: ignore[reportArgumentType] - it is frozen, so it has a hash


@lru_cache(maxsize=1)
def _load(_: Settings) -> dg.Definitions:
    """Load the definitions once for these settings: Dagster asks for them six times to materialize one asset."""
    with warnings.catch_warnings():
        # Warnings of the loader itself, which load_from_defs_folder silences too.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return load_definitions(import_module("taxi_platform.defs"), FILES)
