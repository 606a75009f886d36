"""The resource by which a run holds one of its job's slots, from its first step to its end."""

import dagster as dg
from pydantic import Field, PrivateAttr

from taxi_platform.operations.slots.choose import claim_on
from taxi_platform.operations.slots.claim import Claim, take, when_full
from taxi_platform.orchestration.run_failures import told_to_dagster


class RunSlot(dg.ConfigurableResource["RunSlot"]):
    """One of a job's slots, for a job whose runs are one process each.

    Every op calls ``hold``, not only the first: a run may also be started in the middle.
    """

    slots: int = Field(description="How many runs of the job may be at it at once.")
    tag: str = Field(description="The tag that says whether a run without a slot fails or queues.")
    _claim: Claim | None = PrivateAttr(None)

    def hold(self, context: dg.OpExecutionContext) -> None:
        """Take a slot unless this run has one; it is given back when the run ends.

        Raises:
            dagster.Failure: there is none, or no place to ask for one.
        """
        if self._claim is not None:
            return
        with told_to_dagster():
            choice = when_full(context.run.tags.get(self.tag, "fail"), self.tag)
            claim = claim_on(context.instance, context.job_name, self.slots)
            self._claim = claim  # before it holds anything, so that no interruption leaves it held
            subject = f"{context.job_name} (at most {self.slots} runs at once)"
            advice = f"Start it again when one of them has ended, or with the tag {self.tag}=queue to let it wait."
            take(claim, subject, choice, advice)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Give the slot back."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None
