"""The words of a message about one failed run, or about many. Pure; bounded, so that every service takes it whole."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from taxi_platform.operations.alerts.failed_run import FailedRun, StepReason

# Characters. Discord takes 2,000 in all, and most others more.
MOST_TITLE = 120
MOST_REASON = 600
MOST_OF_MANY = 160
MOST_BODY = 1800

MOST_STEPS = 3
MOST_MONTHS = 8
MOST_RUNS = 8


@dataclass(frozen=True)
class Message:
    """What is sent: plain text."""

    title: str
    body: str


def about(runs: Sequence[FailedRun], web_url: str, redacted: Callable[[str], str]) -> Message:
    """The message about one failed run, or one about several that share it.

    Args:
        runs: at least one.
        web_url: where Dagster's web UI is, without a slash at its end.
        redacted: takes secrets out of a text.
    """
    if len(runs) == 1:
        title, lines = f"{runs[0].subject} failed", _about_one(runs[0], web_url, redacted)
    else:
        title, lines = f"{len(runs)} runs failed", _about_many(runs, web_url, redacted)
    return Message(cut(redacted(f"taxi_platform: {title}"), MOST_TITLE), _bounded(list(lines)))


def link(run_id: str, web_url: str) -> str:
    """The address of a run's page."""
    return f"{web_url}/runs/{run_id}"


def cut(text: str, most: int) -> str:
    """The text, or its beginning when it has more than ``most`` characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _about_one(run: FailedRun, web_url: str, redacted: Callable[[str], str]) -> Iterator[str]:
    for reason in run.reasons[:MOST_STEPS]:
        yield from _about_step(reason, redacted)
    if len(run.reasons) > MOST_STEPS:
        yield f"… and {len(run.reasons) - MOST_STEPS} more steps failed"
    if run.retries:
        yield "Dagster had started it again " + ("once." if run.retries == 1 else f"{run.retries} times.")
    if run.trigger:
        yield f"Started by: {run.trigger}"
    yield f"Run: {link(run.run_id, web_url)}"


def _about_step(reason: StepReason, redacted: Callable[[str], str]) -> Iterator[str]:
    step = f"{reason.step}: " if reason.step else ""
    if not reason.months:
        yield step + _one_line(reason.text, redacted, MOST_REASON)
        return
    # The first line counts the months; what follows it is their reasons, which are told here one by one.
    yield step + _one_line(reason.text.partition("\n")[0], redacted, MOST_REASON)
    for month, why in list(reason.months.items())[:MOST_MONTHS]:
        yield f"  {month}: {_one_line(why, redacted, MOST_OF_MANY)}"
    if len(reason.months) > MOST_MONTHS:
        yield f"  … and {', '.join(list(reason.months)[MOST_MONTHS:])}"


def _about_many(runs: Sequence[FailedRun], web_url: str, redacted: Callable[[str], str]) -> Iterator[str]:
    for run in runs[:MOST_RUNS]:
        text = run.reasons[0].text.partition("\n")[0]
        yield f"{redacted(run.subject)}: {_one_line(text, redacted, MOST_OF_MANY)}"
    if len(runs) > MOST_RUNS:
        more = ", ".join(run.subject for run in runs[MOST_RUNS:])
        yield f"… and {len(runs) - MOST_RUNS} more: {cut(redacted(more), MOST_REASON)}"
    yield f"Runs: {web_url}/runs"


def _one_line(text: str, redacted: Callable[[str], str], most: int) -> str:
    # Redacted before it is cut: half a secret would be found by no net.
    return cut(" ".join(redacted(text).split()), most)


def _bounded(lines: list[str]) -> str:
    """The lines, without as many from above the last one, which is the link, as are too many."""
    *told, end = lines
    return f"{cut(chr(10).join(told), MOST_BODY - len(end) - 1)}\n{end}"
