"""The ``taxi`` command and its subcommands, thin: what they do is done elsewhere, and imported only when called."""

import os

import click

from taxi_platform.failures import TaxiError


class _Taxi(click.Group):
    """A group whose commands tell the platform's own errors in one line, without a stack trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TaxiError as error:
            raise click.ClickException(str(error)) from error


def _aside(line: str) -> None:
    """Tell something without getting between the output and whoever reads it."""
    click.echo(line, err=True)


@click.group(cls=_Taxi)
def taxi() -> None:
    """NYC taxi trips as a Dagster data platform: what Dagster's own commands lack."""


@taxi.command()
@click.option(
    "--scale", type=click.FloatRange(0, 10, min_open=True), help="Trips of the sample for one of the real order."
)
def demo(scale: float | None) -> None:
    """Load 2019: green from the real source, or all services from the sample when it cannot be reached."""
    from taxi_platform.cli.demo import SCALE, run_demo

    if not run_demo(click.echo, scale or SCALE):
        raise click.exceptions.Exit(1)


@taxi.command()
def psql() -> None:
    """Open a shell on the embedded PostgreSQL, starting it if need be."""
    from taxi_platform.postgres.embedded.server import EmbeddedServer
    from taxi_platform.settings import settings

    server = EmbeddedServer(settings().data_dir / "postgres")
    server.start(click.echo)
    program, environment = server.psql()
    os.execve(program, [str(program)], {**os.environ, **environment})  # noqa: S606 - the server's own program


@taxi.command()
def url() -> None:
    """Print the database's URL, password included, for pandas, pgAdmin or DBeaver; starts the embedded server."""
    from taxi_platform.postgres.embedded.server import EmbeddedServer
    from taxi_platform.settings import settings

    own = settings().postgres_url
    click.echo(own.get_secret_value() if own else EmbeddedServer(settings().data_dir / "postgres").start(_aside))


@taxi.command()
def stop() -> None:
    """Stop the embedded servers, the demo's too; their data stays."""
    from taxi_platform.cli.demo import SAMPLE_FOLDER
    from taxi_platform.postgres.embedded.server import EmbeddedServer
    from taxi_platform.settings import settings

    for folder in (settings().data_dir, settings().data_dir / SAMPLE_FOLDER):
        if (folder / "postgres").exists():
            EmbeddedServer(folder / "postgres").stop(lambda line, folder=folder: click.echo(f"{folder}: {line}"))
