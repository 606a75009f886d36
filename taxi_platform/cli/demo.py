"""``taxi demo``: load a year of trips, build the models and the page, and print a summary."""

import io
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from taxi_platform.cli.demo_runs import SILENT, Outcome, materialize, range_tags, reasons, use_instance
from taxi_platform.errors import TaxiError
from taxi_platform.settings import settings
from taxi_platform.trips.months import Month, ranges
from taxi_platform.trips.services import SERVICES, SMALLEST, Service

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult

SAMPLE_FOLDER = "sample"
SCALE = 0.02  # 2.2 million trips: enough to see, few enough for two minutes on two cores, models and all
FIRST, LAST = Month(2019, 1), Month(2019, 12)
ZONES = "taxi_zone_lookup"
URLS = ("TAXI_POSTGRES_URL", "TAXI_DAGSTER_POSTGRES_URL")  # databases of the user, which must not get made-up trips
MODELS, REPORT = "models", "trips_report"  # a group of assets, and an asset
TRIPS = "fct_trips"  # the model whose partitions show which months are built


@dataclass(frozen=True)
class ModelsOutcome:
    """The outcome of the last steps: the models and the page.

    Attributes:
        months: for how many months the models were built.
        seconds: how long the models and the page took.
        page: the path of the page; empty if it was not written.
        failures: why steps failed.
    """

    months: int
    seconds: float
    page: str
    failures: Sequence[str]

    def print(self) -> None:
        """Print the outcome in a line, and each failure in another one."""
        built = f"of {self.months} months built" if self.months else "were there already"
        click.echo(f"  models {built}, and the page made of them, in {self.seconds:.1f} s")
        for failure in self.failures:
            click.echo(f"    failed: {failure}")


def run_demo(scale: float = SCALE) -> bool:
    """Load 2019 and the zones, build the models and the report, and print what was done and what to type next.

    Args:
        scale: how many trips the sample makes for one real trip, if the source does not answer.

    Returns:
        Whether everything was loaded and built.
    """
    services = _choose_services(scale)
    outcomes, models = _materialize(services)
    _summarize(outcomes, models)
    return not models.failures and not any(outcome.failures for outcome in outcomes)


def _choose_services(scale: float) -> Sequence[Service]:
    """Ask the real source; if it does not answer, let this process use the sample, in its own folder."""
    from taxi_platform.redaction import public
    from taxi_platform.sources.source import source_named

    click.echo(f"Asking the source for {SMALLEST.file_name(FIRST)}: {public(settings().source)}")
    try:
        source = source_named(settings().source, short_timeouts=True)
        source.version(source.trips(SMALLEST, FIRST))
    except TaxiError as error:
        click.echo(f"It cannot be had: {error}")
        click.echo(
            "So this is the built-in sample (made-up trips in the shape of the real ones), kept apart from real ones."
        )
    else:
        click.echo(f"It answers: loading the {SMALLEST.name} trips of 2019 from there.")
        return [SMALLEST]
    folder = settings().data_dir / SAMPLE_FOLDER
    os.environ |= {"TAXI_SOURCE": f"sample:{scale}", "TAXI_DATA_DIR": str(folder), **dict.fromkeys(URLS, "")}
    settings.cache_clear()
    use_instance(folder / "dagster")
    return list(SERVICES.values())


def _materialize(services: Sequence[Service]) -> tuple[Sequence[Outcome], ModelsOutcome]:
    import dagster as dg

    from taxi_platform.definitions import defs

    loaded = defs()
    job = loaded.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        outcomes = [materialize(job, instance, ZONES)]
        for service in services:
            click.echo(f"{service.table}: loading {FIRST} to {LAST} …")
            outcomes.append(materialize(job, instance, service.table, (FIRST, LAST)))
        return outcomes, _build_models(loaded, instance, outcomes)


def _build_models(defs: "Definitions", instance: "DagsterInstance", outcomes: Iterable[Outcome]) -> ModelsOutcome:
    """Build the models for the months that are new or that they lack, and write the page of all months.

    Args:
        defs: the code location.
        instance: the instance of the runs.
        outcomes: the outcomes of the tables.
    """
    import dagster as dg

    started = time.monotonic()
    built = instance.get_materialized_partitions(dg.AssetKey(TRIPS))
    months = {
        Month.parse(key) for outcome in outcomes for key, is_new in outcome.months.items() if is_new or key not in built
    }
    models = [spec.key for spec in defs.resolve_all_asset_specs() if spec.group_name == MODELS]
    failures: list[str] = []
    for first, last in ranges(months):
        click.echo(f"models: building {first} to {last} …")
        failures += reasons(_run(defs, instance, models, (first, last)))
    page = _run(defs, instance, [dg.AssetKey(REPORT)])
    return ModelsOutcome(
        months=len(months),
        seconds=time.monotonic() - started,
        page=_path(page) if page.success else "",
        failures=[*failures, *reasons(page)],
    )


def _path(run: "ExecuteInProcessResult") -> str:
    (made,) = run.asset_materializations_for_node(REPORT)
    return cast("str", made.metadata["path"].value)


def _run(
    defs: "Definitions",
    instance: "DagsterInstance",
    assets: Sequence["AssetKey"],
    months: tuple[Month, Month] | None = None,
) -> "ExecuteInProcessResult":
    with redirect_stdout(io.StringIO()):  # dbt's own output, which the run's page in the UI has, too
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=assets, tags=range_tags(months), raise_on_error=False, run_config=SILENT
        )


def _summarize(outcomes: Sequence[Outcome], models: ModelsOutcome) -> None:
    click.echo()
    for outcome in outcomes:
        outcome.print()
    rows = sum(outcome.rows for outcome in outcomes)
    click.echo(f"  {'in all':<17}{rows:>12,} rows in {sum(outcome.seconds for outcome in outcomes):.1f} s")
    models.print()
    data = settings().data_dir
    click.echo(f"\nWhere it is: PostgreSQL {_address()}, raw files and Dagster's state under {data}")
    if models.page:
        click.echo(f"What it looks like: open {models.page}")
    click.echo("What to type next:")
    click.echo(". .venv/bin/activate")
    if data.name == SAMPLE_FOLDER:
        source = " ".join([f"TAXI_SOURCE={settings().source}", *(f"{name}=" for name in URLS)])
        click.echo(f"export {source} TAXI_DATA_DIR={data} DAGSTER_HOME={data}/dagster")
    click.echo("dagster dev       # the graph, every month and every run, on http://127.0.0.1:3000")
    click.echo("taxi psql         # e.g. select filename, rows_loaded from tripdata_files;")
    click.echo("make stop         # PostgreSQL goes on running until then")


def _address() -> str:
    """Return the address of the database, without its password."""
    from urllib.parse import urlsplit

    from taxi_platform.postgres.server import trips_server

    parts = urlsplit(trips_server(settings()).address())
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"
