"""How often an image was pulled from Docker Hub.

Also a program for a shell or Dagster Pipes: ``python -m taxi_platform.course.docker_hub kestra/kestra``.
"""

import re
import sys
import time
from typing import Any, cast

import click
import dagster_pipes

from taxi_platform.errors import DamagedFile, InvalidSetting, TaxiError
from taxi_platform.settings import settings
from taxi_platform.sources.web_api import Api

_REPOSITORY = re.compile(r"[a-z0-9]+(?:[_-]+[a-z0-9]+)*/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")
_ADVICE = (
    "Write owner/name, as in kestra/kestra, or the name of an official image, as in python; in lower case, "
    "without a version, and without another registry."
)


def count_pulls(image: str, base_url: str) -> dict[str, Any]:
    """Return the repository, its pulls until now and the seconds of the request: the metadata of a materialization.

    Raises:
        InvalidSetting: the image's name is not valid.
        NotPublished: the image does not exist, or it is private; for other answers see ``Api.ask``.
        DamagedFile: the answer has no count.
    """
    started = time.monotonic()
    name = repository(image)
    missing = "Docker Hub has no such image, or it is private: check its name."
    api = Api(name, "Check the connection, and try again later.", missing)
    pulls = pulls_of(api.ask(f"{base_url.rstrip('/')}/v2/repositories/{name}/"), name)
    return {"image": name, "pulls": pulls, "seconds": round(time.monotonic() - started, 3)}


def repository(image: str) -> str:
    """Return the repository of an image, e.g. ``kestra/kestra``; official images belong to ``library``.

    Raises:
        InvalidSetting: no image of Docker Hub can have this name.
    """
    name = image.strip()
    full = name if "/" in name else f"library/{name}"
    if len(name) > 255 or not _REPOSITORY.fullmatch(full):
        raise InvalidSetting(f"image {name[:60]!r}", "Docker Hub cannot have an image of this name", _ADVICE)
    return full


def pulls_of(answer: Any, image: str) -> int:
    """Return the count of pulls in Docker Hub's answer, or raise ``DamagedFile``."""
    count: Any = cast("dict[str, Any]", answer).get("pull_count") if isinstance(answer, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        what = f"Docker Hub's answer has no count of pulls: {repr(count)[:60]}"
        raise DamagedFile(image, what, "Its interface may have changed.")
    return count


@click.command()
@click.argument("image", default="kestra/kestra")
def pulls(image: str) -> None:
    """Print how often an IMAGE was pulled from Docker Hub, or from the server that TAXI_DOCKER_HUB_URL names."""
    base_url = settings().docker_hub_url
    if dagster_pipes.PipesEnvVarParamsLoader().is_dagster_pipes_process():
        with dagster_pipes.open_dagster_pipes() as pipes:
            try:
                pipes.report_asset_materialization(metadata=count_pulls(image, base_url))
            except TaxiError as error:
                pipes.report_custom_message(str(error))
        return
    try:
        counted = count_pulls(image, base_url)
    except TaxiError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{counted['image']}: {counted['pulls']:,} pulls (asked in {counted['seconds']:.2f} s)")


if __name__ == "__main__":
    sys.exit(pulls())
