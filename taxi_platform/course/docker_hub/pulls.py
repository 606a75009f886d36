"""Asking Docker Hub. What its answer means is decided in ``images``."""

import time
from dataclasses import dataclass

from taxi_platform.course.docker_hub.images import pulls_of, repository
from taxi_platform.retries import DOWNLOAD, RetryPolicy
from taxi_platform.sources.web_api import Api

DOCKER_HUB = "https://hub.docker.com"


@dataclass(frozen=True)
class Pulls:
    """How often an image was pulled.

    Attributes:
        image: its repository, e.g. ``library/python``.
        count: all pulls until now.
        seconds: how long it took to ask.
    """

    image: str
    count: int
    seconds: float

    def metadata(self) -> dict[str, str | int | float]:
        """What is recorded of it; Dagster's UI plots the numbers over time."""
        return {"image": self.image, "pulls": self.count, "seconds": round(self.seconds, 3)}


def count_pulls(image: str, *, base_url: str = DOCKER_HUB, retries: RetryPolicy = DOWNLOAD) -> Pulls:
    """Ask Docker Hub, or a server that answers like it.

    Raises:
        InvalidSetting: this names no image, or the server's address is none.
        NotPublished: there is no such image, or it is private.
        AccessDenied, SourceUnreachable: the server refuses, or does not answer however often it is asked.
        DamagedFile: its answer has no count.
    """
    started = time.monotonic()
    name = repository(image)
    api = Api(
        subject=name,
        advice="Check the connection, and try again later.",
        missing="Docker Hub has no such image, or it is private: check its name.",
        retries=retries,
    )
    answer = api.ask(f"{base_url.rstrip('/')}/v2/repositories/{name}/")
    return Pulls(name, pulls_of(answer, name), time.monotonic() - started)
