"""One look of the ``new_month_sensor`` as a whole: from what is remembered, on record and answered, to what is done."""

from collections.abc import Mapping
from dataclasses import dataclass

from taxi_platform.operations.new_months.looking import Answers
from taxi_platform.operations.new_months.memory import Look, Memory
from taxi_platform.operations.new_months.new_months import MOST_REQUESTS, Candidate, Held, is_wanted, run_key, token

LONGEST_REST = 6 * 3600.0  # seconds that a server may ask to be left alone; more is a mistake of its own


@dataclass(frozen=True)
class Request:
    """A run to ask for."""

    candidate: Candidate
    run_key: str


@dataclass(frozen=True)
class Decision:
    """What follows from a look.

    Attributes:
        requests: the runs to ask for.
        postponed: how many more are wanted, and will be in the next look.
        memory: what to remember.
    """

    requests: list[Request]
    postponed: int
    memory: Memory


def decide(answers: Answers, held: Mapping[str, Held], memory: Memory, now: float) -> Decision:
    """What to do about the answers.

    Args:
        answers: what the source said.
        held: what is on record, by file name.
        memory: what was remembered before.
        now: seconds since 1970.
    """
    looks = dict(memory.looks)
    requests: list[Request] = []
    postponed = 0
    for month, found in sorted(answers.published.items(), key=lambda item: (item[0].place, item[0].file_name)):
        name = month.file_name
        requested = memory.look(name).requested
        if not is_wanted(found, held.get(name), requested):
            looks[name] = Look(now, requested)
        elif len(requests) < MOST_REQUESTS:
            looks[name] = Look(now, token(found))
            requests.append(Request(month, run_key(month, found, held.get(name))))
        else:
            postponed += 1  # not remembered as looked at, so that the next look asks again
    for month in (*answers.absent, *answers.refused):
        looks[month.file_name] = Look(now, memory.look(month.file_name).requested)
    rest = answers.unreachable and answers.unreachable.retry_after
    return Decision(requests, postponed, Memory(looks, now + min(rest, LONGEST_REST) if rest else 0.0))


def in_words(answers: Answers, decision: Decision, known: int) -> str:
    """What a look found, for who reads the ticks.

    Args:
        answers: what the source said.
        decision: what follows.
        known: how many months there are.
    """
    parts = [f"Asked about {answers.count} of {known} months: {len(answers.absent)} not published"]
    if decision.requests:
        names = ", ".join(request.candidate.file_name for request in decision.requests)
        parts.append(f"{len(decision.requests)} to load ({names})")
    if decision.postponed:
        parts.append(f"{decision.postponed} more in the next looks")
    text = ", ".join(parts) + "."
    if answers.refused:
        text += f" {len(answers.refused)} were refused: {next(iter(answers.refused.values()))}"
    if answers.unreachable:
        text += f" The source stopped answering, the next look goes on from here. {answers.unreachable}"
    return text
