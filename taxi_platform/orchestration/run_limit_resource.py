"""The resource by which the steps of a job keep to the limit on how many of its runs are executed at once."""

import dagster as dg
from pydantic import Field, PrivateAttr

from taxi_platform.operations.run_limit import admit, when_full
from taxi_platform.orchestration.monthly_io import errors_as_failures


class RunLimit(dg.ConfigurableResource["RunLimit"]):
    """The limit of one job. Every step calls ``admit``, not only the first: a run may be started in the middle."""

    at_once: int = Field(description="How many runs of the job may be executed at once.")
    tag: str = Field(description="The tag that says whether a run beyond the limit fails or waits.")
    _is_admitted: bool = PrivateAttr(False)

    def admit(self, context: dg.OpExecutionContext) -> None:
        """Let the run go on if the limit allows it; it counts until it ends.

        Raises:
            dagster.Failure: the limit is reached, or the database of Dagster's state does not answer.
        """
        if self._is_admitted:
            return
        with errors_as_failures():
            choice = when_full(context.run.tags.get(self.tag, "fail"), self.tag)
            advice = f"Start it again when one of them has ended, or with the tag {self.tag}=queue to let it wait."
            admit(context.instance, context.run, self.at_once, choice, advice)
        self._is_admitted = True
