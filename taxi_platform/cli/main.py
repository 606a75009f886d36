"""The ``taxi`` command and its subcommands. What they do belongs elsewhere, and is imported when they are called."""

import gc
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from taxi_platform.errors import InvalidRequest, TaxiError, disk_errors, missing_extras

SAMPLE_FOLDER = "sample"  # of the data folder: what the demo loads from the sample
GOOGLE_FOLDER = "google"  # of the sample's folder: what the emulators of Google Cloud keep


class _Taxi(click.Group):
    """A group whose commands print the platform's own errors in one line, without a stack trace."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Let the list of commands wrap their descriptions instead of cutting them off."""
        cmd.short_help = cmd.help
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> object:
        try:
            with missing_extras():
                return super().invoke(ctx)
        except TaxiError as error:
            # A usage error has the exit status 2 and, raised here, shows its message alone.
            kind = click.UsageError if isinstance(error, InvalidRequest) else click.ClickException
            raise kind(str(error)) from error


def use_instance(home: Path) -> None:
    """Let this process use another Dagster instance, with the project's own configuration."""
    from taxi_platform.settings import FILES

    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        config = home / "dagster.yaml"
        if not config.exists():
            config.unlink(missing_ok=True)  # a link to a package that has been moved
            config.symlink_to(FILES / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)


class _UsesInstance(click.Command):
    """A command that opens Dagster's instance: that of ``DAGSTER_HOME``, or else the data folder's."""

    def invoke(self, ctx: click.Context) -> object:
        from taxi_platform.settings import environment, settings

        own = settings().data_dir / "dagster"
        if Path(environment().get("DAGSTER_HOME") or own) == own:  # also where somebody removed the data folder
            use_instance(own)
        return super().invoke(ctx)


class _Terminal(logging.Handler):
    """Shows what the platform logs on standard error, so that a command's own output stays clean."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def _show_logs() -> None:
    logger = logging.getLogger("taxi_platform")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _Terminal) for handler in logger.handlers):
        logger.addHandler(_Terminal())


@contextmanager
def _without_garbage_collection() -> Generator[None]:
    """Save a command that ends soon a seventh of its time: importing Dagster allocates much and frees nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # otherwise the next allocation, and the end of the process, would visit all of it
        gc.enable()


@click.group(cls=_Taxi, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="taxi-platform")
def taxi() -> None:
    """NYC taxi trips as a Dagster data platform: what Dagster's own commands lack."""
    _show_logs()


@taxi.command(cls=_UsesInstance)
@click.option("--scale", type=click.FloatRange(0, 10, min_open=True), help="Sample trips per real trip, e.g. 0.01.")
def demo(scale: float | None) -> None:
    """Load 2019: green from the real source, or all services from the sample if it is out of reach; then a report."""
    from taxi_platform.cli.demo import run_demo

    raise click.exceptions.Exit(not run_demo(scale))


@taxi.command("demo-cloud")
@click.option("--scale", type=click.FloatRange(0, 10, min_open=True), help="Sample trips per real trip, e.g. 0.01.")
def demo_cloud(scale: float | None) -> None:
    """Load three sample months into emulators of Google Cloud, show the rows, and end the emulators."""
    from taxi_platform.settings import IS_CHECKOUT

    if not IS_CHECKOUT:
        raise InvalidRequest("taxi demo-cloud", "the emulators are not part of the package", "Clone the project.")
    from deploy.emulators.demo import run_demo_cloud

    raise click.exceptions.Exit(not run_demo_cloud(scale))


@taxi.command("gcp-teardown")
def gcp_teardown() -> None:
    """Delete the bucket, the dataset and all that is in them, if the platform has made it. Asks first."""
    from taxi_platform.bigquery.clients import cloud_of
    from taxi_platform.bigquery.teardown import find_contents, tear_down
    from taxi_platform.settings import settings

    cloud = cloud_of(settings().cloud)
    contents = find_contents(cloud)
    if contents.bucket:
        size = sum(blob.size or 0 for blob in contents.objects) / 2**20
        click.echo(f"bucket gs://{cloud.bucket} with {len(contents.objects)} objects, {size:,.1f} MiB")
    if contents.dataset:
        tables = ", ".join(table.table_id for table in contents.tables)
        click.echo(f"dataset {cloud.project}.{cloud.dataset} with {len(contents.tables)} tables: {tables}")
    if not contents.bucket and not contents.dataset:
        click.echo(f"Project {cloud.project} has neither bucket {cloud.bucket} nor dataset {cloud.dataset}.")
        return
    click.confirm("Delete all of this?", abort=True)
    tear_down(cloud, contents)
    click.echo("Deleted. Dagster still has its records of the months; taxi status --cloud shows that they are gone.")


@taxi.command("getting-started", cls=_UsesInstance)
def getting_started() -> None:
    """Average the prices of products by brand; from the sample if the web API cannot be reached."""
    from taxi_platform.cli.getting_started import run_getting_started

    raise click.exceptions.Exit(not run_getting_started())


@taxi.command(cls=_UsesInstance)
@click.argument("services")
@click.argument("months")
@click.option("--missing", "choice", flag_value="missing", default=True, help="What is not in place (default).")
@click.option("--failed", "choice", flag_value="failed", help="Only months whose last run failed.")
@click.option("--all", "choice", flag_value="all", help="Every month, also what is in place.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest month.")
@click.option("--dry-run", is_flag=True, help="Only print what would be loaded, and why.")
@click.option("--ask-source", is_flag=True, help="Ask the source, too, which of the loaded months have changed.")
@click.option(
    "--to", "destination", type=click.Choice(["postgres", "bigquery"]), default="postgres", help="The database."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: the plan and its outcome; progress on stderr.")
def backfill(services: str, months: str, **options: Any) -> None:
    """Load MONTHS (2019-03, 2019-01..2019-12, 2020-01..) of SERVICES (green, green,yellow or all)."""
    from taxi_platform.cli.backfill import run_backfill

    raise click.exceptions.Exit(run_backfill(services, months, **options))


@taxi.command(cls=_UsesInstance)
@click.argument("question")
def ask(question: str) -> None:
    """Answer QUESTION from the docs, the asset graph, the records and, by one statement that only reads, the trips."""
    from taxi_platform.cli.ask import run_ask

    run_ask(question)


@taxi.command("new-asset")
@click.argument("description")
@click.option("--yes", is_flag=True, help="Execute the proposed code without asking.")
def new_asset(description: str, yes: bool) -> None:
    """Propose an asset for DESCRIPTION with its test, checked in a copy of the project. Asks before it executes it."""
    from taxi_platform.cli.new_asset import run_new_asset

    def confirm() -> None:
        click.echo(
            "To check this code, it is executed: in a copy of the project, in processes without your settings and "
            "secrets, with a time limit. This is not a sandbox: the code may do whatever you may do.",
            err=True,
        )
        if not yes:
            click.confirm("Execute it?", abort=True, err=True)

    run_new_asset(description, confirm)


@taxi.command(cls=_UsesInstance)
@click.option("--json", "as_json", is_flag=True, help="For programs; docs/backfills.md says what is in it.")
@click.option("--ask-source", is_flag=True, help="Ask the source, too, which of the loaded months have changed.")
@click.option("--cloud", is_flag=True, help="Ask BigQuery, too, and show what its loads were billed.")
def status(as_json: bool, ask_source: bool, cloud: bool) -> None:
    """Show the state of every month of every service, rows and bytes, and the last run."""
    with _without_garbage_collection():
        from taxi_platform.cli.status import show_status

        show_status(as_json=as_json, ask_source=ask_source, ask_cloud=cloud)


@taxi.command(cls=_UsesInstance)
@click.option("--listen", metavar="HOST:PORT", help="Serve them to Prometheus at this address, until Ctrl-C.")
def metrics(listen: str | None) -> None:
    """Print months, rows, bytes, seconds, runs and costs as metrics in Prometheus' text format."""
    from taxi_platform.cli.metrics import run_metrics

    run_metrics(listen)


@taxi.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check what the platform depends on, and say how to fix problems. Changes nothing; fails if there is a problem."""
    with _without_garbage_collection():
        from taxi_platform.cli.doctor import run_doctor

        is_healthy = run_doctor(as_json=as_json)
    raise click.exceptions.Exit(not is_healthy)


@taxi.command(cls=_UsesInstance)
@click.option("--allow-runs", is_flag=True, help="Add a tool that lets the daemon load months.")
def mcp(allow_runs: bool) -> None:
    """Serve status, backfill plans, doctor, docs and queries to an AI assistant, by the Model Context Protocol."""
    from taxi_platform.cli.mcp import run_mcp

    run_mcp(allow_runs=allow_runs)


@taxi.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dbt(arguments: tuple[str, ...]) -> None:
    """Run a command of dbt (build, debug, …) on the models, with the platform's own settings; see docs/models.md."""
    from taxi_platform.cli.dbt import run_dbt

    raise click.exceptions.Exit(run_dbt(arguments))


@taxi.command(cls=_UsesInstance, context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dev(arguments: tuple[str, ...]) -> None:
    """Start the web UI and the daemon on http://127.0.0.1:3000; takes the options of `dagster dev`."""
    from taxi_platform.settings import FILES

    arguments = ("--help",) if arguments == ("-h",) else arguments  # Dagster's -h is --host
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--workspace", FILES / "workspace.yaml"]
    # A backfill waits for a code location that does not load at the moment, instead of failing.
    waits = {"DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR": "1"}
    os.execve(sys.executable, [*command, *arguments], {**waits, **os.environ})  # noqa: S606 - Dagster's own program


@taxi.command()
def psql() -> None:
    """Open a shell on the embedded PostgreSQL, starting it if necessary."""
    from taxi_platform.postgres.server import trips_server
    from taxi_platform.settings import settings

    server = trips_server(settings()).embedded
    server.start()
    program, environment = server.psql()
    os.execve(program, [str(program)], {**os.environ, **environment})  # noqa: S606 - the server's own program


@taxi.command()
def url() -> None:
    """Print the database's URL, password included, for pandas, pgAdmin or DBeaver; starts the embedded server."""
    from taxi_platform.postgres.server import trips_server
    from taxi_platform.settings import settings

    server = trips_server(settings())
    address = server.address()
    # Clients of PostgreSQL 15 and older do not know the embedded server's require_auth.
    click.echo(address.partition("?")[0] if server.is_embedded else address)


@taxi.command()
def stop() -> None:
    """Stop the embedded servers, the demo's too, and what a killed demo left; their data stays."""
    from taxi_platform.postgres.embedded.server import EmbeddedServer
    from taxi_platform.postgres.server import EMBEDDED_FOLDER
    from taxi_platform.settings import settings

    for folder in (settings().data_dir, settings().data_dir / SAMPLE_FOLDER):
        if (folder / EMBEDDED_FOLDER).exists():
            was_running = EmbeddedServer(folder / EMBEDDED_FOLDER).stop()
            click.echo(f"{folder}: PostgreSQL is {'stopped' if was_running else 'not running'}")
    google = settings().data_dir / SAMPLE_FOLDER / GOOGLE_FOLDER
    if google.exists():
        from deploy.emulators.servers import Emulators

        Emulators(google).stop()
