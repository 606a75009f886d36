"""How often an image was pulled; the UI plots the numbers of its materializations over time."""

from typing import Any

import dagster as dg
from pydantic import Field

from taxi_platform.orchestration.links import COURSE, DOCKER_HUB, links
from taxi_platform.orchestration.resources import DockerHubResource


class PullsConfig(dg.Config):
    """Which image is counted, and where."""

    image: str = Field("kestra/kestra", description="owner/name, or the name of an official image such as python.")
    isolated: bool = Field(False, description="Ask in its own process, as the course does in a container.")


@dg.asset(
    description="How often an image was pulled from Docker Hub until now, and how long it took to ask.",
    group_name="docker_hub",
    kinds={"python"},
    owners=["team:data-engineering"],
    metadata=links("from-kestra.md", source=DOCKER_HUB, course=COURSE),
)
def docker_image_pulls(
    context: dg.AssetExecutionContext, config: PullsConfig, docker_hub: DockerHubResource
) -> dg.MaterializeResult[Any]:
    """Ask Docker Hub for the count, here or in a child process."""
    count = docker_hub.isolated_pulls if config.isolated else docker_hub.pulls
    return count(context, config.image)
