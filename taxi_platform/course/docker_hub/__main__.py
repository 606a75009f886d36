"""The count as a program for a shell or for Dagster Pipes: ``python -m taxi_platform.course.docker_hub kestra/kestra``.

Of Dagster it knows nothing but how to tell it what was found.
"""

import logging
import sys

import click
import dagster_pipes

from taxi_platform.course.docker_hub.pulls import DOCKER_HUB, Pulls, count_pulls
from taxi_platform.errors import TaxiError

FAILURE, TRANSIENT = "failure", "transient"
"""What Dagster is told of an error, beside which the exit code would be no news."""


@click.command()
@click.argument("image", default="kestra/kestra")
@click.option("--base-url", default=DOCKER_HUB, show_default=True, help="Docker Hub, or a server that answers like it.")
def pulls(image: str, base_url: str) -> None:
    """Tell how often an IMAGE was pulled from Docker Hub."""
    if dagster_pipes.PipesEnvVarParamsLoader().is_dagster_pipes_process():
        _tell_dagster(image, base_url)
        return
    try:
        logging.basicConfig(format="%(message)s", level=logging.INFO)  # to stderr
        counted = count_pulls(image, base_url=base_url)
    except TaxiError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{counted.image}: {counted.count:,} pulls (asked in {counted.seconds:.2f} s)")


def _tell_dagster(image: str, base_url: str) -> None:
    with dagster_pipes.open_dagster_pipes() as pipes:
        logging.basicConfig(handlers=pipes.log.handlers, level=logging.INFO)
        try:
            counted: Pulls = count_pulls(image, base_url=base_url)
        except TaxiError as error:
            pipes.report_custom_message({FAILURE: str(error), TRANSIENT: error.transient})
        else:
            pipes.report_asset_materialization(metadata=counted.metadata())


if __name__ == "__main__":
    sys.exit(pulls())
