"""What is worth telling about a run that failed, read from what Dagster recorded of it.

How it is worded is in ``message``. Nothing here asks the instance: the run and its records are handed in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional, Protocol, cast

import dagster as dg

from taxi_platform import errors as failures
from taxi_platform.ledger import run_tags as labels
from taxi_platform.trips.services import SERVICES

PARTITION = "dagster/partition"
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
RETRY_NUMBER = "dagster/retry_number"

_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
# A Python error is recorded as ``package.module.Name: what it says``.
_ERROR = re.compile(r"(?:\w+\.)*(\w+)(?:: (.*))?", re.DOTALL)
# Dagster's words for a run that it gave up for a reason that it wrote down a line earlier.
_GIVEN_UP = "This run has been marked as failed from outside"
_OURS = {name for name, kind in vars(failures).items() if isinstance(kind, type) and issubclass(kind, Exception)}


class RecordedError(Protocol):
    """An error as Dagster records it, with those that led to it."""

    message: str
    cls_name: str | None
    cause: Optional["RecordedError"]
    context: Optional["RecordedError"]


@dataclass(frozen=True)
class StepReason:
    """Why one step of a run failed.

    Attributes:
        step: its name, which is its asset's; empty when the run failed outside of any step.
        text: the root error.
        months: when it was about several months, those that failed, each with its own reason.
    """

    step: str
    text: str
    months: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class FailedRun:
    """A run that failed.

    Attributes:
        run_id: by which its page is found.
        subject: what it was about: services and months, e.g. ``green 2019-01...2019-12``.
        trigger: what started it, as its label says; empty if nothing does.
        retries: how often Dagster has started it again before this.
        reasons: of every step that failed; at least one.
    """

    run_id: str
    subject: str
    trigger: str
    retries: int
    reasons: Sequence[StepReason]


def failed_run(run: dg.DagsterRun, entries: Iterable[dg.EventLogEntry]) -> FailedRun:
    """What is to be told of a run.

    Args:
        run: the run.
        entries: its log, in order; failures and engine events suffice.
    """
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    steps = [_of_step(event) for event in events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    whole = _of_run(events)
    retries = run.tags.get(RETRY_NUMBER, "")
    return FailedRun(
        run_id=run.run_id,
        subject=" ".join(filter(None, (_what(run), _months(run.tags)))),
        trigger=run.tags.get(labels.TRIGGER, ""),
        retries=int(retries) if retries.isdecimal() else 0,
        reasons=steps or whole or [StepReason("", "its log does not say why")],
    )


def root_cause(error: RecordedError) -> str:
    """The error at the bottom of a chain; of the platform's own errors in it the deepest, for these say what to do."""
    chain = list(_chain(error))
    ours = [one for one in chain if one.cls_name in _OURS]
    return _sentence(ours[-1] if ours else chain[-1])


def _chain(error: RecordedError) -> Iterator[RecordedError]:
    below: RecordedError | None = error
    while below:
        yield below
        below = below.cause or below.context


def _sentence(error: RecordedError) -> str:
    message = error.message.strip()
    found = _ERROR.fullmatch(message)
    if found is None:
        return message
    name, said = found[1], (found[2] or "").strip()
    return said if said and name in _OURS else f"{name}: {said}" if said else name


def _of_step(event: dg.DagsterEvent) -> StepReason:
    failure, step = event.step_failure_data, event.step_key or ""
    told = failure.user_failure_data
    if told and told.description:
        months = {name: str(value.value) for name, value in told.metadata.items() if _MONTH.fullmatch(name)}
        return StepReason(step, told.description, months)
    error = cast("RecordedError | None", failure.error)
    return StepReason(step, root_cause(error) if error else event.message or "")


def _of_run(events: Sequence[dg.DagsterEvent]) -> Sequence[StepReason]:
    """Why a run failed outside of its steps: what the machinery said when, or just before, it gave the run up."""
    ends = [place for place, event in enumerate(events) if event.event_type == dg.DagsterEventType.RUN_FAILURE]
    if not ends:
        return []
    before = [event for event in events[: ends[-1]] if event.event_type == dg.DagsterEventType.ENGINE_EVENT]
    end = events[ends[-1]]
    telling = before[-1] if before and (end.message or "").startswith(_GIVEN_UP) else end
    error = cast("RecordedError | None", getattr(telling.event_specific_data, "error", None))
    said = telling.message or ""
    return [StepReason("", f"{said.rstrip('.')}: {root_cause(error)}" if error else said)]


def _what(run: dg.DagsterRun) -> str:
    """Whose trips a run was about; the names of its assets, or of its job, when it was about no trips."""
    labelled = [name for name in run.tags.get(labels.TAXI, "").split(",") if name]
    if labelled:
        return ", ".join(labelled)
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    tables = {asset.rpartition("/")[2] for asset in assets}
    services = [service.name for service in SERVICES.values() if service.table in tables]
    return ", ".join(services or assets[:3]) or run.job_name


def _months(tags: Mapping[str, str]) -> str:
    first, last = (tags.get(name, "") for name in RANGE)
    return tags.get(PARTITION) or (first if first == last else f"{first}...{last}")
