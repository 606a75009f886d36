"""Why a run failed, and which warnings of its checks are new, from its log. ``operations`` decides what to do then."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from taxi_platform import dagster_private, errors
from taxi_platform.ledger.record import Attempt
from taxi_platform.trips.months import Month

_STEP_FAILURE, _RUN_FAILURE = dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE
_ENGINE_EVENT = dg.DagsterEventType.ENGINE_EVENT
EVENTS_WITH_REASONS = {_STEP_FAILURE, _RUN_FAILURE, _ENGINE_EVENT}
CHECKED = dg.DagsterEventType.ASSET_CHECK_EVALUATION

_DUE = "due"  # the metadata of a check that asks for one month: the next month is another warning
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
# A Python error is recorded as ``package.module.Name: message``.
_ERROR = re.compile(r"(?:\w+\.)*(\w+)(?:: (.*))?", re.DOTALL)
# How Dagster's message begins when it marks a run as failed for a reason that it logged just before.
_GIVEN_UP = "This run has been marked as failed from outside"
_OWN_ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


@dataclass(frozen=True)
class StepReason:
    """Why one step of a run failed, or what one of its checks warns of."""

    step: str  # its name, which is its asset's, or the check's; empty when the run failed outside of any step
    text: str  # the root error
    # for a range of months, those that failed or are warned of, each with its own reason
    months: Mapping[str, str] = field(default_factory=dict[str, str])


def read_reasons(entries: Iterable[dg.EventLogEntry]) -> Sequence[StepReason]:
    """Return why a run failed, from the ``EVENTS_WITH_REASONS`` of its log: one reason per failed step, or one."""
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    steps = [_of_step(event) for event in events if event.event_type == _STEP_FAILURE]
    return steps or _of_run(events) or [StepReason("", "its log does not say why; its process may have been killed")]


def read_warnings(instance: dg.DagsterInstance, entries: Iterable[dg.EventLogEntry]) -> Sequence[StepReason]:
    """Return the new warnings of a run's checks, from its log: those that the results before did not have."""
    warnings: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in entries:
        event = entry.dagster_event
        found = event.asset_check_evaluation_data if event and event.event_type == CHECKED else None
        if found is None or found.passed or found.severity != dg.AssetCheckSeverity.WARN:
            continue
        before = dagster_private.earlier_check_result(instance, found.asset_check_key, found.partition, entry.run_id)
        if before is None or before.passed or before.metadata.get(_DUE) != found.metadata.get(_DUE):
            check = f"{found.asset_key.to_user_string()}, {found.check_name}"
            warnings[check][found.partition or ""] = found.description or "it did not pass"
    return [
        StepReason(check, f"{len(months)} months", months)
        if len(months) > 1
        else StepReason(f"{check} {''.join(months)}".rstrip(), "".join(months.values()))
        for check, months in warnings.items()
    ]


def reason_of_month(instance: dg.DagsterInstance, attempt: Attempt, month: Month) -> str:
    """Return why a run did not load a month that it should have loaded."""
    if attempt.outcome == "cancelled":
        return "its run was cancelled"
    reasons = read_reasons(instance.all_logs(attempt.run_id, of_type=EVENTS_WITH_REASONS))
    of_months = [reason.months[str(month)] for reason in reasons if str(month) in reason.months]
    return (of_months or [reasons[0].text])[0]


def _of_step(event: dg.DagsterEvent) -> StepReason:
    failure, step = event.step_failure_data, event.step_key or ""
    described = failure.user_failure_data
    if described and described.description:
        months = {name: str(value.value) for name, value in described.metadata.items() if _MONTH.fullmatch(name)}
        return StepReason(step, described.description, months)
    return StepReason(step, _root_cause(failure.error) if failure.error else event.message or "")


def _of_run(events: Sequence[dg.DagsterEvent]) -> Sequence[StepReason]:
    """Return why a run failed outside of its steps: what Dagster logged when, or just before, it gave the run up."""
    ends = [place for place, event in enumerate(events) if event.event_type == _RUN_FAILURE]
    if not ends:
        return []
    end = events[ends[-1]]
    before = [event for event in events[: ends[-1]] if event.event_type == _ENGINE_EVENT]
    event = before[-1] if before and (end.message or "").startswith(_GIVEN_UP) else end
    error = getattr(event.event_specific_data, "error", None)
    text = event.message or ""
    return [StepReason("", f"{text.rstrip('.')}: {_root_cause(error)}" if error else text)]


def _root_cause(error: Any) -> str:
    """Return the error at the bottom of a chain, or the deepest of the platform's own: these say what to do."""
    chain: list[Any] = []
    while error:
        chain.append(error)
        error = error.cause or error.context
    own = [link for link in chain if link.cls_name in _OWN_ERRORS]
    message = (own or chain)[-1].message.strip()
    match = _ERROR.fullmatch(message)
    name, text = (match[1], (match[2] or "").strip()) if match else ("", message)
    return (text if not name or name in _OWN_ERRORS else f"{name}: {text}") if text else name
