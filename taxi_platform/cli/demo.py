"""``taxi demo``: a year of trips through the platform's own assets, and what it did in a few lines."""

import os
from collections.abc import Callable, Sequence

from taxi_platform.cli.demo_report import Shown, show
from taxi_platform.cli.demo_runs import Outcome, materialize, use_instance
from taxi_platform.errors import TaxiError
from taxi_platform.settings import settings
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, SMALLEST, Service

Say = Callable[[str], None]

SAMPLE_FOLDER = "sample"
SCALE = 0.02  # 2.2 million trips: enough to see, few enough for two minutes on two cores, models and all
FIRST, LAST = Month(2019, 1), Month(2019, 12)
ZONES = "taxi_zone_lookup"
URLS = ("TAXI_POSTGRES_URL", "TAXI_DAGSTER_POSTGRES_URL")  # databases of one's own, which made-up trips stay out of


def run_demo(say: Say, scale: float = SCALE) -> bool:
    """Load 2019 and the zones, build the models and the report, and say what was done and what to type next.

    Args:
        say: where that is told.
        scale: how many trips the sample makes for one of the real order, when it has to stand in.

    Returns:
        Whether everything was loaded and built.
    """
    services = _choose(say, scale)
    outcomes, shown = _materialize(services, say)
    _summarize(outcomes, shown, say)
    return not shown.failures and not any(outcome.failures for outcome in outcomes)


def _choose(say: Say, scale: float) -> Sequence[Service]:
    """Ask the real source; when it is out of reach, turn this process to the sample, in a folder of its own."""
    from taxi_platform.sources.answers import public
    from taxi_platform.sources.choose import source_named

    say(f"Asking the source for {SMALLEST.file_name(FIRST)}: {public(settings().source)}")
    try:
        source = source_named(settings().source, short_timeouts=True)
        source.version(source.trips(SMALLEST, FIRST))
    except TaxiError as error:
        say(f"It cannot be had: {error}")
        say("So this is the built-in sample (made-up trips in the shape of the real ones), kept apart from real ones.")
    else:
        say(f"It answers: loading the {SMALLEST.name} trips of 2019 from there.")
        return [SMALLEST]
    folder = settings().data_dir / SAMPLE_FOLDER
    os.environ |= {"TAXI_SOURCE": f"sample:{scale}", "TAXI_DATA_DIR": str(folder), **dict.fromkeys(URLS, "")}
    settings.cache_clear()
    use_instance(folder / "dagster")
    return list(SERVICES.values())


def _materialize(services: Sequence[Service], say: Say) -> tuple[Sequence[Outcome], Shown]:
    import dagster as dg

    from taxi_platform.definitions import defs

    loaded = defs()
    job = loaded.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        outcomes = [materialize(job, instance, ZONES)]
        for service in services:
            say(f"{service.table}: loading {FIRST} to {LAST} …")
            outcomes.append(materialize(job, instance, service.table, (FIRST, LAST)))
        return outcomes, show(loaded, instance, outcomes, say)


def _summarize(outcomes: Sequence[Outcome], shown: Shown, say: Say) -> None:
    say("")
    for outcome in outcomes:
        outcome.tell(say)
    rows = sum(outcome.rows for outcome in outcomes)
    say(f"  {'in all':<17}{rows:>12,} rows in {sum(outcome.seconds for outcome in outcomes):.1f} s")
    shown.tell(say)
    data = settings().data_dir
    say(f"\nWhere it is: PostgreSQL {_address()}, raw files and Dagster's state under {data}")
    if shown.page:
        say(f"What it looks like: open {shown.page}")
    say("What to type next:")
    say(". .venv/bin/activate")
    if data.name == SAMPLE_FOLDER:
        source = " ".join([f"TAXI_SOURCE={settings().source}", *(f"{name}=" for name in URLS)])
        say(f"export {source} TAXI_DATA_DIR={data} DAGSTER_HOME={data}/dagster")
    say("dagster dev       # the graph, every month and every run, on http://127.0.0.1:3000")
    say("taxi psql         # e.g. select filename, rows_loaded from tripdata_files;")
    say("make stop         # PostgreSQL goes on running until then")


def _address() -> str:
    """Where the database is, without its password."""
    from urllib.parse import urlsplit

    from taxi_platform.postgres.server import trips_server

    parts = urlsplit(trips_server(settings()).address())
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"
