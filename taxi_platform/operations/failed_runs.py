"""Failed runs: whether a retry will replace one, why it failed, and the words of the message about it.

Pure: runs and their logs are handed in. Who gets the message, and when, is decided in ``alerts``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Optional, Protocol, cast

import dagster as dg

from taxi_platform import errors
from taxi_platform.ledger.run_tags import TAXI, TRIGGER
from taxi_platform.trips.services import SERVICES

WILL_RETRY = "dagster/will_retry"
RETRY_RUN = "dagster/auto_retry_run_id"
RETRY_NUMBER = "dagster/retry_number"
PARTITION = "dagster/partition"
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")

# Seconds. Dagster stores the failure, the status and the tag one after the other; an idle daemon starts the retry
# within five seconds.
DECISION_SECONDS = 60.0
RETRY_SECONDS = 300.0

# Characters. Discord takes 2,000 in all, and most other services more.
MOST_TITLE = 120
MOST_REASON = 600
MOST_REASON_OF_MONTH = 160
MOST_BODY = 1800
MOST_STEPS = 3
MOST_MONTHS = 8

_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
# A Python error is recorded as ``package.module.Name: message``.
_ERROR = re.compile(r"(?:\w+\.)*(\w+)(?:: (.*))?", re.DOTALL)
# Dagster's words for a run that it gave up for a reason that it logged just before.
_GIVEN_UP = "This run has been marked as failed from outside"
_OWN_ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}

EVENTS_WITH_REASONS = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.ENGINE_EVENT,
}

Decision = Literal["report", "wait", "drop"]
Redact = Callable[[str], str]


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
        months: for a range of months, those that failed, each with its own reason.
    """

    step: str
    text: str
    months: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Message:
    """A message about one failed run, in plain text."""

    title: str
    body: str


def decide(run: dg.DagsterRun | None, retry: dg.DagsterRun | None, *, retries: bool, waited: float) -> Decision:
    """Decide whether a failed run is reported now, perhaps later, or never because a retry replaces it.

    A retry is reported itself when it fails, and when it succeeds there is nothing to report. A retry that Dagster
    announces and never starts (because its backfill was cancelled, for example) must not hide the failure for ever.

    Args:
        run: the run as it is now; None when it has been deleted.
        retry: the run that its tag names as its automatic retry, if it exists.
        retries: whether the instance retries runs.
        waited: the seconds since the failure was noticed.
    """
    if run is None or run.status == dg.DagsterRunStatus.SUCCESS:
        return "drop"
    if run.status != dg.DagsterRunStatus.FAILURE:  # the event is stored before the status
        return "wait" if waited < DECISION_SECONDS else "drop"
    # A run that was started again by hand may carry the tags of the one that it repeats.
    if retry is not None and retry.parent_run_id == run.run_id:
        return "drop"
    will_retry = run.tags.get(WILL_RETRY)
    if will_retry is None:
        return "wait" if retries and waited < DECISION_SECONDS else "report"
    announced = will_retry == "true" and run.remote_job_origin is not None and RETRY_RUN not in run.tags
    return "wait" if announced and waited < RETRY_SECONDS else "report"


def read_reasons(entries: Iterable[dg.EventLogEntry]) -> Sequence[StepReason]:
    """Return why a run failed: one reason for each failed step, or one for the run.

    Args:
        entries: its log, in order; ``EVENTS_WITH_REASONS`` suffice.
    """
    try:
        events = [entry.dagster_event for entry in entries if entry.dagster_event]
        steps = [_of_step(event) for event in events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
        return steps or _of_run(events) or [StepReason("", "its log does not say why")]
    except Exception as error:
        return [StepReason("", f"its log cannot be read ({type(error).__name__}: {error})")]


def message_about(run: dg.DagsterRun, reasons: Sequence[StepReason], web_url: str, redact: Redact) -> Message:
    """Return the message about a failed run; it always ends with the link to the run.

    Args:
        run: the run.
        reasons: why it failed.
        web_url: where Dagster's web UI is, without a slash at its end.
        redact: removes secrets from a text.
    """
    lines = "\n".join(_lines_about(run, reasons, redact))
    link = f"Run: {web_url}/runs/{run.run_id}"
    title = f"taxi_platform: {' '.join(filter(None, (_subject(run), _months(run.tags))))} failed"
    return Message(cut(redact(title), MOST_TITLE), f"{cut(lines, MOST_BODY - len(link) - 1)}\n{link}")


def cut(text: str, most: int) -> str:
    """Return the text, or its beginning when it has more than ``most`` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _lines_about(run: dg.DagsterRun, reasons: Sequence[StepReason], redact: Redact) -> Iterator[str]:
    for reason in reasons[:MOST_STEPS]:
        yield from _lines_about_step(reason, redact)
    if len(reasons) > MOST_STEPS:
        yield f"… and {len(reasons) - MOST_STEPS} more steps failed"
    retries = run.tags.get(RETRY_NUMBER, "")
    if retries.isdecimal() and int(retries):
        yield "Dagster had started it again " + ("once." if int(retries) == 1 else f"{retries} times.")
    if run.tags.get(TRIGGER):
        yield f"Started by: {run.tags[TRIGGER]}"


def _lines_about_step(reason: StepReason, redact: Redact) -> Iterator[str]:
    step = f"{reason.step}: " if reason.step else ""
    # For a range, the first line counts the months, and what follows are their reasons, which have lines of their own.
    text = reason.text.partition("\n")[0] if reason.months else reason.text
    yield step + _one_line(text, redact, MOST_REASON)
    for month, why in list(reason.months.items())[:MOST_MONTHS]:
        yield f"  {month}: {_one_line(why, redact, MOST_REASON_OF_MONTH)}"
    if len(reason.months) > MOST_MONTHS:
        yield f"  … and {', '.join(list(reason.months)[MOST_MONTHS:])}"


def _one_line(text: str, redact: Redact, most: int) -> str:
    # Redacted before it is cut, because half a secret would not be recognized.
    return cut(" ".join(redact(text).split()), most)


def _subject(run: dg.DagsterRun) -> str:
    """Return whose trips a run was about, or the names of its assets or of its job."""
    labelled = [name for name in run.tags.get(TAXI, "").split(",") if name]
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    tables = {asset.rpartition("/")[2] for asset in assets}
    services = [service.name for service in SERVICES.values() if service.table in tables]
    return ", ".join(labelled or services or assets[:3]) or run.job_name


def _months(tags: Mapping[str, str]) -> str:
    first, last = (tags.get(name, "") for name in RANGE)
    return tags.get(PARTITION) or (first if first == last else f"{first}...{last}")


def _of_step(event: dg.DagsterEvent) -> StepReason:
    failure, step = event.step_failure_data, event.step_key or ""
    described = failure.user_failure_data
    if described and described.description:
        months = {name: str(value.value) for name, value in described.metadata.items() if _MONTH.fullmatch(name)}
        return StepReason(step, described.description, months)
    error = cast("RecordedError | None", failure.error)
    return StepReason(step, _root_cause(error) if error else event.message or "")


def _of_run(events: Sequence[dg.DagsterEvent]) -> Sequence[StepReason]:
    """Return why a run failed outside of its steps: what Dagster logged when, or just before, it gave the run up."""
    ends = [place for place, event in enumerate(events) if event.event_type == dg.DagsterEventType.RUN_FAILURE]
    if not ends:
        return []
    end = events[ends[-1]]
    before = [event for event in events[: ends[-1]] if event.event_type == dg.DagsterEventType.ENGINE_EVENT]
    event = before[-1] if before and (end.message or "").startswith(_GIVEN_UP) else end
    error = cast("RecordedError | None", getattr(event.event_specific_data, "error", None))
    text = event.message or ""
    return [StepReason("", f"{text.rstrip('.')}: {_root_cause(error)}" if error else text)]


def _root_cause(error: RecordedError) -> str:
    """Return the error at the bottom of a chain, or the deepest of the platform's own: these say what to do."""
    chain = list(_chain(error))
    own = [link for link in chain if link.cls_name in _OWN_ERRORS]
    return _sentence(own[-1] if own else chain[-1])


def _chain(error: RecordedError) -> Iterator[RecordedError]:
    below: RecordedError | None = error
    while below:
        yield below
        below = below.cause or below.context


def _sentence(error: RecordedError) -> str:
    message = error.message.strip()
    match = _ERROR.fullmatch(message)
    if match is None:
        return message
    name, text = match[1], (match[2] or "").strip()
    if not text:
        return name
    return text if name in _OWN_ERRORS else f"{name}: {text}"
