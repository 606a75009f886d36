"""Failed runs: whether a retry will replace one, and the words of the message about it.

Pure: runs and the reasons of their failures are handed in. Who gets the message, and when, is decided in ``alerts``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from taxi_platform.ledger.failures import StepReason
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

Decision = Literal["report", "wait", "drop"]
Redact = Callable[[str], str]


@dataclass(frozen=True)
class Message:
    """A message about one failed run, in plain text."""

    title: str
    body: str


def decide(run: dg.DagsterRun | None, retry: dg.DagsterRun | None, *, retries: bool, waited: float) -> Decision:
    """Decide whether a failed run is reported now, perhaps later, or never because a retry replaces it.

    A retry is reported itself when it fails. A retry that Dagster announces and never starts (because its backfill was
    cancelled, for example) must not hide the failure for ever.

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
    def line(text: str, most: int) -> str:
        # Redacted before it is cut, because half a secret would not be recognized.
        return cut(" ".join(redact(text).split()), most)

    for reason in reasons[:MOST_STEPS]:
        step = f"{reason.step}: " if reason.step else ""
        # For a range, the first line counts the months; the other lines repeat their reasons.
        yield step + line(reason.text.partition("\n")[0] if reason.months else reason.text, MOST_REASON)
        for month, why in list(reason.months.items())[:MOST_MONTHS]:
            yield f"  {month}: {line(why, MOST_REASON_OF_MONTH)}"
        if len(reason.months) > MOST_MONTHS:
            yield f"  … and {', '.join(list(reason.months)[MOST_MONTHS:])}"
    if len(reasons) > MOST_STEPS:
        yield f"… and {len(reasons) - MOST_STEPS} more steps failed"
    retries = run.tags.get(RETRY_NUMBER, "")
    if retries.isdecimal() and int(retries):
        yield "Dagster had started it again " + ("once." if int(retries) == 1 else f"{retries} times.")
    if run.tags.get(TRIGGER):
        yield f"Started by: {run.tags[TRIGGER]}"


def _subject(run: dg.DagsterRun) -> str:
    """Return the services whose trips a run was about, or the names of its assets or of its job."""
    labelled = [name for name in run.tags.get(TAXI, "").split(",") if name]
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    tables = {asset.rpartition("/")[2] for asset in assets}
    services = [service.name for service in SERVICES.values() if service.table in tables]
    return ", ".join(labelled or services or assets[:3]) or run.job_name


def _months(tags: Mapping[str, str]) -> str:
    first, last = (tags.get(name, "") for name in RANGE)
    return tags.get(PARTITION) or (first if first == last else f"{first}...{last}")
