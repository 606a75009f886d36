"""The resource that counts pulls, in the run's own process or in one of its own."""

import sys
import tempfile
from typing import Any, cast

import dagster as dg
from pydantic import Field

from taxi_platform.course.docker_hub.pulls import DOCKER_HUB, count_pulls
from taxi_platform.orchestration.monthly_io import errors_as_failures


class DockerHub(dg.ConfigurableResource["DockerHub"]):
    """Docker Hub, or a server that answers like it."""

    base_url: str = Field(DOCKER_HUB, description="Where it is, without the path of its interface.")

    def pulls(self, context: dg.AssetExecutionContext, image: str) -> dg.MaterializeResult[Any]:
        """Count an image's pulls here.

        Raises:
            dagster.Failure: there is no count to be had, and why.
        """
        with errors_as_failures():
            return dg.MaterializeResult(metadata=count_pulls(image, base_url=self.base_url).metadata())

    def isolated_pulls(self, context: dg.AssetExecutionContext, image: str) -> dg.MaterializeResult[Any]:
        """Count an image's pulls in a child process, which has an empty folder and no way to this one's objects.

        Raises:
            dagster.Failure: there is no count to be had, and why.
            dagster.DagsterPipesExecutionError: the child process died.
        """
        from taxi_platform.course.docker_hub.__main__ import FAILURE, TRANSIENT

        command = [sys.executable, "-I", "-m", "taxi_platform.course.docker_hub", image, "--base-url", self.base_url]
        with tempfile.TemporaryDirectory() as folder:
            done = dg.PipesSubprocessClient(cwd=folder).run(command=command, context=context)
        for message in done.get_custom_messages():
            raise dg.Failure(message[FAILURE], allow_retries=message[TRANSIENT])
        return cast("dg.MaterializeResult[Any]", done.get_materialize_result(implicit_materialization=False))
