"""``taxi demo``: load a year of trips, build the models and the page, and print a summary."""

import os
import time
from collections.abc import Sequence
from shlex import quote
from urllib.parse import urlsplit

import click
import dagster as dg

from taxi_platform.cli.demo_runs import execute, materialize, reasons
from taxi_platform.cli.main import SAMPLE_FOLDER, use_instance
from taxi_platform.definitions import defs
from taxi_platform.errors import TaxiError
from taxi_platform.postgres.server import trips_server
from taxi_platform.redaction import public
from taxi_platform.settings import IS_CHECKOUT, settings
from taxi_platform.sources.source import source_named
from taxi_platform.trips.months import Month, ranges
from taxi_platform.trips.services import SERVICES, SMALLEST, Service

SCALE = 0.006  # 2.1 million trips: enough to see, few enough for two minutes on two cores, models and all
FIRST, LAST = Month(2019, 1), Month(2019, 12)
ZONES = "taxi_zone_lookup"
URLS = ("TAXI_POSTGRES_URL", "TAXI_DAGSTER_POSTGRES_URL")  # databases of the user, which must not get made-up trips
MODELS, REPORT = "models", "trips_report"  # a group of assets, and an asset
TRIPS = "fct_trips"  # the model whose partitions show which months are built


def run_demo(scale: float | None = None) -> bool:
    """Load 2019, build models and report, and return whether that succeeded; the sample is made to ``scale``."""
    services = _choose_services(scale or SCALE)
    loaded = defs()
    job = loaded.resolve_implicit_global_asset_job_def()
    models = [spec.key for spec in loaded.resolve_all_asset_specs() if spec.group_name == MODELS]
    with dg.DagsterInstance.get() as instance:
        outcomes = [materialize(job, instance, ZONES)]
        for service in services:
            click.echo(f"{service.table}: loading {FIRST} to {LAST} …")
            outcomes.append(materialize(job, instance, service.table, (FIRST, LAST)))
        built = instance.get_materialized_partitions(dg.AssetKey(TRIPS))
        loaded_months = [(month, is_new) for each in outcomes for month, is_new in each.months.items() if month]
        months = {Month.parse(month) for month, is_new in loaded_months if is_new or month not in built}
        started = time.monotonic()
        failures: list[str] = []
        for first, last in ranges(months):
            click.echo(f"models: building {first} to {last} …")
            failures += reasons(instance, execute(job, instance, models, (first, last)))
        report = execute(job, instance, [dg.AssetKey(REPORT)], None)
        failures += reasons(instance, report)
        seconds = time.monotonic() - started
    click.echo()
    for outcome in outcomes:
        outcome.print()
    rows = sum(outcome.rows for outcome in outcomes)
    click.echo(f"  {'in all':<17}{rows:>12,} rows in {sum(outcome.seconds for outcome in outcomes):.1f} s")
    done = f"of {len(months)} months built" if months else "were there already"
    click.echo(f"  models {done}, and the page made of them, in {seconds:.1f} s")
    for failure in failures:
        click.echo(f"    failed: {failure}")
    page = next(iter(report.asset_materializations_for_node(REPORT)), None) if report.success else None
    _print_what_to_do_next(page and str(page.metadata["path"].value))
    return not failures and not any(outcome.failures for outcome in outcomes)


def _choose_services(scale: float) -> Sequence[Service]:
    """Ask the real source; if it does not answer, let this process use the sample, in its own folder."""
    click.echo(f"Asking the source for {SMALLEST.file_name(FIRST)}: {public(settings().source)}")
    try:
        source = source_named(settings().source, short_timeouts=True)
        source.version(source.trips(SMALLEST, FIRST))
    except TaxiError as error:
        click.echo(f"It cannot be used: {error}")
        click.echo("Loading the built-in sample instead: made-up trips, kept apart from real ones.")
    else:
        click.echo(f"It answers: loading the {SMALLEST.name} trips of 2019 from it.")
        return [SMALLEST]
    folder = settings().data_dir / SAMPLE_FOLDER
    os.environ |= {"TAXI_SOURCE": f"sample:{scale}", "TAXI_DATA_DIR": str(folder), **dict.fromkeys(URLS, "")}
    settings.cache_clear()
    use_instance(folder / "dagster")
    return list(SERVICES.values())


def _print_what_to_do_next(page: str | None) -> None:
    data = settings().data_dir
    parts = urlsplit(trips_server(settings()).address())
    database = f"{parts.hostname}:{parts.port or 5432}{parts.path}"  # without the password
    click.echo(f"\nWhere it is: PostgreSQL {database}, raw files and Dagster's state under {data}")
    if page:
        click.echo(f"What it looks like: open {quote(page)}")
    click.echo("What to type next:")
    if IS_CHECKOUT:
        click.echo(". .venv/bin/activate")
    if data.name == SAMPLE_FOLDER:
        source = " ".join([f"TAXI_SOURCE={settings().source}", *(f"{name}=" for name in URLS)])
        folders = f"TAXI_DATA_DIR={quote(str(data))} DAGSTER_HOME={quote(str(data / 'dagster'))}"
        click.echo(f"export {source} {folders}")
    click.echo("taxi dev          # the graph, every month and every run, on http://127.0.0.1:3000")
    click.echo("taxi psql         # e.g. select filename, rows_loaded from tripdata_files;")
    click.echo("taxi stop         # PostgreSQL goes on running until then")
