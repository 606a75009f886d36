"""Why months of a run are not in place, as the run's own events tell it."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from taxi_platform.ledger.states import Attempt

_ENDS = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}


@dataclass(frozen=True)
class Reasons:
    """Why a run failed: of each month that says so itself, and of the run as a whole."""

    of_months: Mapping[str, str]
    of_run: str

    def of(self, month: str) -> str:
        """The reason of one month."""
        return self.of_months.get(month, self.of_run)


def read_reasons(instance: dg.DagsterInstance, attempt: Attempt) -> Reasons:
    """Why the months of a run that ended badly are not in place."""
    of_months: dict[str, str] = {}
    of_steps: list[str] = []
    of_run = "its process is gone, and nothing was heard of it" if attempt.outcome == "failed" else "the run was ended"
    for record in instance.get_records_for_run(attempt.run_id, of_type=_ENDS).records:
        event = record.event_log_entry.dagster_event
        if event and event.is_step_failure:
            told = event.step_failure_data.user_failure_data
            if told:
                of_months |= {name: str(value.value) for name, value in told.metadata.items()}
            of_steps.append((told and told.description) or event.step_failure_data.error_display_string.strip())
        elif event and event.message:
            of_run = event.message
    return Reasons(of_months, of_steps[0] if of_steps and attempt.outcome == "failed" else of_run)
