"""``taxi demo-cloud``: three sample months through Cloud Storage and BigQuery, on emulators started for it.

Starting and stopping the emulators belongs in ``servers``.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any, cast

import click
from filelock import FileLock, Timeout

from deploy.emulators.servers import Addresses, Emulators
from taxi_platform.cli.demo import SCALE, URLS
from taxi_platform.cli.demo_runs import materialize, reasons
from taxi_platform.cli.main import GOOGLE_FOLDER, SAMPLE_FOLDER, use_instance
from taxi_platform.errors import InvalidRequest
from taxi_platform.operations.backfill import SILENT
from taxi_platform.settings import settings
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SMALLEST

CLOUD = {
    "GCP_PROJECT_ID": "taxi-demo",
    "GCP_LOCATION": "US",  # where the emulator of Cloud Storage puts every bucket
    "GCP_BUCKET_NAME": "taxi-demo-lake",
    "GCP_DATASET": "zoomcamp",
    "GCP_CREDS": "",
}
FIRST, LAST = Month(2019, 1), Month(2019, 3)
TABLE = f"{CLOUD['GCP_PROJECT_ID']}.{CLOUD['GCP_DATASET']}.{SMALLEST.table}"
QUERIES = (
    f"SELECT filename, COUNT(*) AS trips, COUNT(DISTINCT unique_row_id) AS ids, SUM(total_amount) AS dollars "  # noqa: S608 - names of our own
    f"FROM `{TABLE}` GROUP BY filename ORDER BY filename",
    f"SELECT LEFT(unique_row_id, 8) AS id, {SMALLEST.pickup}, pulocationid, dolocationid, total_amount "  # noqa: S608
    f"FROM `{TABLE}` ORDER BY {SMALLEST.pickup}, unique_row_id LIMIT 3",
)


def run_demo_cloud(scale: float | None = None) -> bool:
    """Create bucket and dataset, load three months, show the rows, and return whether everything was loaded.

    The sample makes ``scale`` trips for each real one.

    Raises:
        CloudNotReady: the emulators are not installed.
        CloudUnavailable: they do not start.
        InvalidRequest: another demo uses them.
    """
    folder = settings().data_dir / SAMPLE_FOLDER
    click.echo(
        "Starting emulators of Cloud Storage and BigQuery on this machine: no account is needed, and it is free."
    )
    for number in (signal.SIGTERM, signal.SIGHUP):  # like Ctrl-C, they must stop the emulators too
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with _alone(folder), Emulators(folder / GOOGLE_FOLDER).running() as addresses:
        click.echo(f"Emulators answer: Cloud Storage at {addresses.storage}, BigQuery at {addresses.bigquery}")
        _use(folder, addresses, scale or SCALE)
        if succeeded := _load():
            _show()
    click.echo(f"\nThe emulators are stopped; their data stays in {folder / GOOGLE_FOLDER}.")
    click.echo("What to type next:")
    click.echo(". .venv/bin/activate")
    folders = f"TAXI_DATA_DIR={quote(str(folder))} DAGSTER_HOME={quote(str(folder / 'dagster'))}"
    click.echo(f"export TAXI_SOURCE={settings().source} {folders}")
    click.echo("dagster dev       # these runs and what they recorded, on http://127.0.0.1:3000")
    click.echo("make stop         # PostgreSQL, where Dagster's own state is, goes on running until then")
    click.echo("docs/cloud.md says how to do the same in a project of your own.")
    return succeeded


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Allow only one demo at a time, because the first one to end would also stop the emulators of the second."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "demo-cloud.lock", timeout=0):
            yield
    except Timeout:
        raise InvalidRequest("taxi demo-cloud", "another one is running", "Wait until it has ended.") from None


def _use(folder: Path, addresses: Addresses, scale: float) -> None:
    """Make this process use the sample and the emulators, whatever the settings are."""
    os.environ |= {
        "TAXI_SOURCE": f"sample:{scale}",
        "TAXI_DATA_DIR": str(folder),
        "TAXI_FIRST_MONTH": "",
        "TAXI_LAST_MONTH": "",
        "STORAGE_EMULATOR_HOST": addresses.storage,
        "BIGQUERY_EMULATOR_HOST": addresses.bigquery,
        **dict.fromkeys(URLS, ""),
        **CLOUD,
    }
    settings.cache_clear()
    use_instance(folder / "dagster")
    for handler in logging.getLogger("taxi_platform").handlers:
        handler.setLevel(logging.WARNING)  # the demo prints what happens in its own few lines


def _load() -> bool:
    """Run the set-up and both assets, print the outcomes, and return whether all of them succeeded."""
    import dagster as dg

    from taxi_platform.definitions import defs

    loaded, started = defs(), time.monotonic()
    with dg.DagsterInstance.get() as instance:
        click.echo(f"gcp_setup: bucket {CLOUD['GCP_BUCKET_NAME']} and dataset {CLOUD['GCP_DATASET']} …")
        set_up = loaded.resolve_job_def("gcp_setup")
        result = set_up.execute_in_process(instance=instance, raise_on_error=False, run_config=SILENT)
        if failed := reasons(instance, result):
            click.echo(f"\ngcp_setup failed: {failed[0]}")
            return False
        job = loaded.resolve_implicit_global_asset_job_def()
        outcomes = [
            materialize(job, instance, f"{place}/{SMALLEST.table}", (FIRST, LAST)) for place in ("gcs", "bigquery")
        ]
    click.echo()
    for outcome in outcomes:
        outcome.print(width=24)
    click.echo(f"  in all {time.monotonic() - started:.1f} s")
    return not any(outcome.failures for outcome in outcomes)


def _show() -> None:
    """Print some rows from the emulator of BigQuery."""
    from tabulate import tabulate

    from taxi_platform.bigquery.clients import cloud_of

    click.echo(f'\nIn "BigQuery", table {TABLE}:')
    for query in QUERIES:
        rows = cast("Iterable[Mapping[str, Any]]", cloud_of(settings().cloud).bigquery.query_and_wait(query))
        click.echo("\n" + tabulate([dict(row.items()) for row in rows], "keys", floatfmt=",.2f", intfmt=","))
