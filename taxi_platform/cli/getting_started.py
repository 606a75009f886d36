"""``taxi getting-started``: the course's third flow through the platform's own assets, and its result as a table."""

import os

import click
import dagster as dg
from tabulate import tabulate

from taxi_platform.cli.demo_runs import execute, reasons
from taxi_platform.course.prices import AVERAGES, COLUMNS, averages
from taxi_platform.course.products import SAMPLE, probe, shown
from taxi_platform.definitions import defs
from taxi_platform.errors import TaxiError
from taxi_platform.orchestration.resources import DuckDBFile
from taxi_platform.settings import settings


def run_getting_started() -> bool:
    """Average the prices of products by brand, print the result and where it is; return whether it succeeded."""
    _choose_source()
    loaded = defs()
    keys = [spec.key for spec in loaded.resolve_all_asset_specs() if spec.group_name == "getting_started"]
    with dg.DagsterInstance.get() as instance:  # the persistent one, so that the UI shows the run afterwards
        result = execute(loaded.resolve_implicit_global_asset_job_def(), instance, keys, None)
        failures = reasons(instance, result)
    for failure in failures:
        click.echo(f"failed: {failure}")
    if not failures:
        _print_averages()
    return not failures


def _choose_source() -> None:
    """Ask the web API; if it does not answer, let this process use the sample."""
    place = settings().products_url
    click.echo(f"Asking for products: {shown(place)}")
    if "://" not in place:
        return
    try:
        probe(place)
    except TaxiError as error:
        click.echo(f"They cannot be fetched: {error}")
        click.echo("Using the included sample instead; its products are made up.")
        os.environ["TAXI_PRODUCTS_URL"] = SAMPLE
        settings.cache_clear()


def _print_averages() -> None:
    path = settings().data_dir / "getting_started/products.duckdb"
    with DuckDBFile(path).connect() as connection:
        rows = averages(connection)
    click.echo("\n" + tabulate(rows, list(COLUMNS), missingval="N/A", floatfmt=",.2f") + "\n")
    click.echo(f"Where it is: table {AVERAGES} of {path}")
    click.echo("What to type next:")
    click.echo(". .venv/bin/activate")
    click.echo("dagster dev       # the same with a chart, on http://127.0.0.1:3000")
    click.echo("make stop         # PostgreSQL, where Dagster's own state is, goes on running until then")
