"""``taxi getting-started``: the course's third flow through the platform's own assets, and the table it makes."""

import os
from collections.abc import Callable

from taxi_platform.cli.demo_runs import SILENT, reasons
from taxi_platform.course.prices import AVERAGES, COLUMNS, averages
from taxi_platform.course.products import SAMPLE, probe, shown
from taxi_platform.errors import TaxiError
from taxi_platform.settings import settings

Say = Callable[[str], None]


def run_getting_started(say: Say) -> bool:
    """Download the products, keep brand and price, average them by brand, and say where it is.

    Args:
        say: where that is told.

    Returns:
        Whether it was done.
    """
    _choose(say)
    failures = _materialize()
    for failure in failures:
        say(f"failed: {failure}")
    if failures:
        return False
    _show(say)
    return True


def _choose(say: Say) -> None:
    """Ask the web API; when it is out of reach, turn this process to the sample."""
    place = settings().products_url
    say(f"Asking for products: {shown(place)}")
    if "://" not in place:
        return
    try:
        probe(place)
    except TaxiError as error:
        say(f"They cannot be had: {error}")
        say("So these are the products that come along, all of them invented.")
        os.environ["TAXI_PRODUCTS_URL"] = SAMPLE
        settings.cache_clear()


def _materialize() -> list[str]:
    """One run of the group on the lasting instance, so that the UI shows it afterwards; why it failed, if it did."""
    import dagster as dg

    from taxi_platform.definitions import defs

    selection = dg.AssetSelection.groups("getting_started")
    job = dg.define_asset_job("getting_started", selection)
    loaded = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job]))
    with dg.DagsterInstance.get() as instance:
        done = loaded.resolve_job_def("getting_started").execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config=SILENT,
        )
    return reasons(done)


def _show(say: Say) -> None:
    from tabulate import tabulate

    from taxi_platform.orchestration.resources import DuckDBFile

    path = settings().data_dir / "getting_started/products.duckdb"
    with DuckDBFile(path=str(path)).connect() as connection:
        rows = averages(connection)
    say("\n" + tabulate(rows, list(COLUMNS), missingval="N/A", floatfmt=",.2f") + "\n")
    say(f"Where it is: table {AVERAGES} of {path}")
    say("What to type next:")
    say(". .venv/bin/activate")
    say("dagster dev       # the same with a chart, on http://127.0.0.1:3000")
    say("make stop         # PostgreSQL, where Dagster's own state is, goes on running until then")
