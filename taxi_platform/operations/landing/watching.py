"""One look of the ``landing_sensor``: what was dropped is compared with what became of its runs, and moved."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from taxi_platform.errors import TaxiError
from taxi_platform.operations.failed_runs import EVENTS_WITH_REASONS, decide, read_reasons
from taxi_platform.operations.landing.decision import Outcome, Plan, cursor, in_words, plan, recall
from taxi_platform.operations.landing.place import Dropped, LandingPlace
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

TAG = "taxi/landed"
"""The tag of a run that loads a dropped file: which version of which."""


@dataclass(frozen=True)
class Look:
    """What a look leads to.

    Attributes:
        plan: the decisions, those about moving carried out.
        words: what was found.
        cursor: what to remember.
    """

    plan: Plan
    words: str
    cursor: str


def look(
    place: LandingPlace,
    instance: dg.DagsterInstance,
    refusal: Callable[[Service, Month], str | None],
    text: str | None,
) -> Look:
    """Look at a landing place once, and move what is dealt with.

    Args:
        place: where files are dropped.
        instance: where the runs are recorded.
        refusal: why a month of a service cannot be loaded, if it cannot.
        text: the cursor of the last look.

    Raises:
        InvalidSetting, AccessDenied, SourceUnreachable: the place cannot be read.
    """
    found = plan(place.look(), recall(text), lambda dropped: outcome_of(instance, place, dropped), refusal)
    problems = _carry_out(place, found)
    return Look(found, in_words(found, problems), cursor(found.seen))


def tag_of(place: LandingPlace, dropped: Dropped) -> str:
    """What the tag of a run says that loads this version of a file."""
    return f"{place.address(dropped.name)}@{dropped.version}"


def outcome_of(instance: dg.DagsterInstance, place: LandingPlace, dropped: Dropped) -> Outcome | None:
    """What became of the run for a version of a file; where a crashed one was started again, of the last."""
    records = instance.get_run_records(dg.RunsFilter(tags={TAG: tag_of(place, dropped)}), limit=1)
    if not records:
        return None
    run = records[0].dagster_run
    if run.status == dg.DagsterRunStatus.SUCCESS:
        return Outcome("loaded")
    if run.status == dg.DagsterRunStatus.CANCELED:
        return Outcome("failed", f"The run {run.run_id} was cancelled.")
    if run.status != dg.DagsterRunStatus.FAILURE:
        return Outcome("running")
    waited = time.time() - (records[0].end_time or 0)
    if decide(run, None, retries=instance.run_retries_enabled, waited=waited) != "report":
        return Outcome("running")
    reasons = read_reasons(instance.all_logs(run.run_id, of_type=EVENTS_WITH_REASONS))
    return Outcome("failed", "\n".join(line for reason in reasons for line in reason.months.values() or [reason.text]))


def _carry_out(place: LandingPlace, found: Plan) -> list[str]:
    """Move the files that are dealt with; one that stays is told of, and tried again at the next look."""
    reasons = dict(found.failed)
    problems: list[str] = []
    for dropped in [*found.done, *reasons]:
        try:
            place.move(dropped, "failed" if dropped in reasons else "done", reasons.get(dropped))
        except TaxiError as error:
            problems.append(f"not moved, which is tried again: {error}")
            found.done = [other for other in found.done if other != dropped]
            found.failed = [other for other in found.failed if other[0] != dropped]
    return problems
