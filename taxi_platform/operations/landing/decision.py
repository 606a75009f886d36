"""What is to be done about each dropped file, and what the ``landing_sensor`` remembers. Pure.

A file is loaded by a run of its own, and moved by the sensor when that run has ended. What became of a file is asked of
the runs, by its name and version, and never remembered: a sensor or run that is killed in between leaves nothing to be
mended, and the next look goes on from what there is.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from taxi_platform.operations.landing.names import is_unfinished, shown, trips_in
from taxi_platform.operations.landing.place import Dropped
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

VERSION = 1
DROP_AGAIN = "When that is put right, drop the file again."
NO_TRIPS = (
    "No trip file: its name is not one as published, like green_tripdata_2019-03.csv.gz or yellow_tripdata_2019-03.csv."
)


@dataclass(frozen=True)
class Outcome:
    """What became of the run that was to load a version of a file.

    Attributes:
        state: whether it goes on, loaded the file, or failed to.
        reason: why it failed.
    """

    state: Literal["running", "loaded", "failed"]
    reason: str = ""


@dataclass
class Plan:
    """What one look leads to.

    Attributes:
        load: files to be loaded, with what their names say.
        done: files that are loaded, to be moved.
        failed: files that never will be, to be moved with a reason.
        waiting: files that may still be written, or whose month is being loaded.
        seen: the versions of all files, by name, for the next look.
    """

    load: list[tuple[Dropped, Service, Month]] = field(default_factory=list[tuple[Dropped, Service, Month]])
    done: list[Dropped] = field(default_factory=list[Dropped])
    failed: list[tuple[Dropped, str]] = field(default_factory=list[tuple[Dropped, str]])
    waiting: list[Dropped] = field(default_factory=list[Dropped])
    seen: dict[str, str] = field(default_factory=dict[str, str])


def plan(
    there: Sequence[Dropped],
    seen: Mapping[str, str],
    outcome_of: Callable[[Dropped], Outcome | None],
    refusal: Callable[[Service, Month], str | None],
) -> Plan:
    """What is to be done about the files of a landing place.

    Of two files of one month, the later waits until the earlier is dealt with, and then takes its place.

    Args:
        there: the files, the earliest first.
        seen: the versions that the last look has seen, by name.
        outcome_of: what became of the run for a file, if there ever was one.
        refusal: why a month of a service cannot be loaded, if it cannot.
    """
    found = Plan()
    taken: set[tuple[str, Month]] = set()
    for dropped in there:
        if is_unfinished(dropped.name):
            continue
        found.seen[dropped.name] = dropped.version
        if not dropped.is_complete and seen.get(dropped.name) != dropped.version:
            found.waiting.append(dropped)
            continue
        trips = trips_in(dropped.name)
        problem = refusal(*trips) if trips else NO_TRIPS
        if trips is None or problem:
            found.failed.append((dropped, f"{problem} {DROP_AGAIN}\n"))
            continue
        _decide(found, dropped, *trips, outcome_of(dropped), taken)
    return found


def _decide(
    found: Plan,
    dropped: Dropped,
    service: Service,
    month: Month,
    outcome: Outcome | None,
    taken: set[tuple[str, Month]],
) -> None:
    if outcome is None:
        if (service.name, month) in taken:
            found.waiting.append(dropped)
        else:
            found.load.append((dropped, service, month))
        taken.add((service.name, month))
    elif outcome.state == "loaded":
        found.done.append(dropped)
    elif outcome.state == "failed":
        found.failed.append((dropped, f"{outcome.reason}\n{DROP_AGAIN}\n"))
    else:
        found.waiting.append(dropped)
        taken.add((service.name, month))


def cursor(seen: Mapping[str, str]) -> str:
    """The cursor that ``recall`` reads."""
    return json.dumps({"version": VERSION, "seen": dict(seen)}, separators=(",", ":"))


def recall(text: str | None) -> dict[str, str]:
    """The versions in a cursor; none when it says nothing that is understood, which costs a file another look."""
    try:
        found = json.loads(text or "{}")
        if found.get("version") != VERSION:
            return {}
        return {str(name): str(version) for name, version in found["seen"].items()}
    except (ValueError, KeyError, AttributeError):
        return {}


def in_words(found: Plan, problems: Sequence[str]) -> str:
    """What a look found, for who reads the ticks."""
    parts = [
        ("to load", [dropped.name for dropped, _, _ in found.load]),
        ("moved to done", [dropped.name for dropped in found.done]),
        ("moved to failed", [dropped.name for dropped, _ in found.failed]),
        ("waiting", [dropped.name for dropped in found.waiting]),
    ]
    told = [f"{what}: {', '.join(map(shown, names))}" for what, names in parts if names]
    return "; ".join([*told, *problems]) or "Nothing was dropped."
