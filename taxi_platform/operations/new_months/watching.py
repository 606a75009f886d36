"""One look of the ``new_month_sensor``: what is on record is compared with what the source has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

from taxi_platform.ledger.trigger_records import busy_files, held_files
from taxi_platform.operations.new_months.decision import Request, decide, in_words
from taxi_platform.operations.new_months.looking import ask
from taxi_platform.operations.new_months.memory import Memory, recall
from taxi_platform.operations.new_months.new_months import MOST_QUESTIONS, candidates, questions
from taxi_platform.sources.source import Source
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


@dataclass(frozen=True)
class Look:
    """What a look leads to.

    Attributes:
        requests: the runs to ask for.
        words: what was found.
        cursor: what to remember.
    """

    requests: Sequence[Request]
    words: str
    cursor: str


def look(
    source: Source,
    instance: dg.DagsterInstance,
    partitions: Mapping[Service, Sequence[Month]],
    cursor: str | None,
    now: float,
    warn: Callable[[str], None],
) -> Look:
    """Look at the source once.

    Args:
        source: where months appear.
        instance: where is recorded what was loaded.
        partitions: the months of each service that may be loaded.
        cursor: what the last look remembered.
        now: seconds since 1970.
        warn: where a cursor is told of that cannot be read.
    """
    memory = recall(cursor)
    if memory is None:
        warn("The cursor cannot be read, so every month is looked at anew. What is on record is not loaded again.")
        memory = Memory()
    if now < memory.rest_until:
        until = datetime.fromtimestamp(memory.rest_until, timezone.utc)
        return Look([], f"The source wants to be left alone until {until:%H:%M:%S} UTC.", memory.cursor())
    months = candidates(partitions)
    held = held_files(instance, partitions)
    busy = busy_files(instance, partitions) | {name for name, file in held.items() if file.landed}
    most = None if source.asking_is_free else MOST_QUESTIONS
    answers = ask(source, questions(months, memory, now, busy=busy, most=most))
    decision = decide(answers, held, memory, now)
    return Look(decision.requests, in_words(answers, decision, len(months)), decision.memory.cursor())
