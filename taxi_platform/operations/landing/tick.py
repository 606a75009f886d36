"""One tick of the ``landing_sensor``: which dropped files are loaded, and which are moved after that.

Each file is loaded by its own run. The tick asks Dagster what happened to the run for this version of the file and
stores nothing about it, so the next tick can continue after a sensor or a run was killed.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from taxi_platform.errors import TaxiError
from taxi_platform.ledger.failures import EVENTS_WITH_REASONS, read_reasons
from taxi_platform.operations.alerts import decide
from taxi_platform.operations.landing.places import DroppedFile, LandingPlace
from taxi_platform.redaction import redact
from taxi_platform.settings import secrets
from taxi_platform.trips.keys import parse_file_name
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

TAG = "taxi/landed"
"""The tag of a run that loads a dropped file. Its value names the file and its version."""

CURSOR_VERSION = 1
DROP_AGAIN = "Correct that, and drop the file again."
NOT_A_TRIP_FILE = "The file is not named as published, e.g. green_tripdata_2019-03.csv.gz, ….csv or ….parquet."
_UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".tmp", ".swp", "~")

Action = Literal["load", "done", "failed", "wait"]
_SUMMARY: Mapping[Action, str] = {
    "load": "to load",
    "done": "moved to done",
    "failed": "moved to failed",
    "wait": "waiting",
}

Refusal = Callable[[Service, Month], str | None]
"""Returns why a month cannot be loaded, or None if it can."""


@dataclass(frozen=True)
class Decision:
    """What happens to one file: load it by a run, move it to ``done`` or ``failed``, or wait for a later tick."""

    file: DroppedFile
    action: Action
    reason: str | None = None  # why it failed
    trips: tuple[Service, Month] | None = None


@dataclass(frozen=True)
class LandingTick:
    """The files to load, each with its service and month; one line about all files; the cursor for the next tick."""

    requests: Sequence[tuple[DroppedFile, Service, Month]]
    summary: str
    cursor: str


def evaluate(place: LandingPlace, instance: dg.DagsterInstance, refusal: Refusal, cursor: str | None) -> LandingTick:
    """Decide about every file, and move the processed ones; the next tick moves those that cannot be moved."""
    decisions = plan(place.files(), load_cursor(cursor), lambda file: run_outcome(instance, place, file), refusal)
    carried_out: list[Decision] = []
    problems: list[str] = []
    for decision in decisions:
        try:
            if decision.action in ("done", "failed"):
                reason = decision.reason and redact(decision.reason, list(secrets()))
                place.move(decision.file, decision.action, reason)
            carried_out.append(decision)
        except TaxiError as error:
            problems.append(f"not moved, the next tick tries again: {error}")
    return LandingTick(
        [(decision.file, *decision.trips) for decision in decisions if decision.action == "load" and decision.trips],
        summarize(carried_out, problems),
        dump_cursor({decision.file.name: decision.file.version for decision in decisions}),
    )


def plan(
    files: Iterable[DroppedFile],
    versions: Mapping[str, str],
    outcome_of: Callable[[DroppedFile], tuple[Action, str] | None],
    refusal: Refusal,
) -> list[Decision]:
    """Decide what happens to each file of a landing place, without unfinished ones. Pure.

    A file is complete when the place says so, or when two ticks see the same version. Of two files of one month, the
    later one waits until the earlier one is processed, and then replaces it; so does any file that is dropped while
    another one is loaded. ``versions`` are those that the last tick saw, by name; ``outcome_of`` returns what follows
    from the run for a file, if there was one.
    """
    decisions: list[Decision] = []
    busy: set[tuple[str, Month]] = set()
    finished = [file for file in files if not is_unfinished(file.name)]
    outcomes = {file: outcome_of(file) if parse_file_name(file.name) else None for file in finished}
    # Files with a run come first: one that was written earlier may have been dropped after them.
    for file in sorted(finished, key=lambda file: outcomes[file] is None):
        if not file.is_complete and versions.get(file.name) != file.version:
            decisions.append(Decision(file, "wait"))
            continue
        trips = parse_file_name(file.name)
        problem = refusal(*trips) if trips else NOT_A_TRIP_FILE
        if trips is None or problem:
            decisions.append(Decision(file, "failed", f"{problem} {DROP_AGAIN}\n"))
            continue
        month = (trips[0].name, trips[1])
        action, reason = outcomes[file] or ("wait" if month in busy else "load", "")
        if action in ("load", "wait"):
            busy.add(month)
        decisions.append(Decision(file, action, f"{reason}\n{DROP_AGAIN}\n" if action == "failed" else None, trips))
    return decisions


def run_outcome(instance: dg.DagsterInstance, place: LandingPlace, file: DroppedFile) -> tuple[Action, str] | None:
    """Return what follows from the latest run for this file version, retries included, and why the run failed."""
    records = instance.get_run_records(dg.RunsFilter(tags={TAG: run_key(place, file)}), limit=1)
    if not records:
        return None
    run = records[0].dagster_run
    if run.status == dg.DagsterRunStatus.SUCCESS:
        return "done", ""
    if run.status == dg.DagsterRunStatus.CANCELED:
        return "failed", f"The run {run.run_id} was cancelled."
    waited = time.time() - (records[0].end_time or 0)
    has_failed = run.status == dg.DagsterRunStatus.FAILURE
    if not has_failed or decide(run, None, retries=instance.run_retries_enabled, waited=waited) != "report":
        return "wait", ""
    reasons = read_reasons(instance.all_logs(run.run_id, of_type=EVENTS_WITH_REASONS))
    return "failed", "\n".join(line for reason in reasons for line in reason.months.values() or [reason.text])


def run_key(place: LandingPlace, file: DroppedFile) -> str:
    """Return the run key, and the tag's value, of the run that loads this version of a file."""
    return f"{place.address(file.name)}@{file.version}"


def is_unfinished(name: str) -> bool:
    """Return whether a file is hidden, or has a name that copying programs use until the file is complete."""
    return name.startswith(".") or name.endswith(_UNFINISHED)


def dump_cursor(versions: Mapping[str, str]) -> str:
    """Return the cursor that ``load_cursor`` reads: the version of each file that a tick saw."""
    return json.dumps({"version": CURSOR_VERSION, "seen": dict(versions)}, separators=(",", ":"))


def load_cursor(cursor: str | None) -> dict[str, str]:
    """Return the versions in a cursor. One that cannot be read counts as empty, which costs a file one more tick."""
    try:
        content = json.loads(cursor or "")
        return dict(content["seen"]) if content["version"] == CURSOR_VERSION else {}
    except (ValueError, KeyError, TypeError):
        return {}


def summarize(decisions: Iterable[Decision], problems: Sequence[str]) -> str:
    """Return one line about a tick."""
    names: dict[Action, list[str]] = {action: [] for action in _SUMMARY}
    for decision in decisions:
        names[decision.action].append(decision.file.name)
    parts = [f"{text}: {', '.join(names[action])}" for action, text in _SUMMARY.items() if names[action]]
    summary = "; ".join([*parts, *problems]) or "Nothing was dropped."
    return summary.encode(errors="surrogateescape").decode(errors="replace")  # a name may not be valid UTF-8
