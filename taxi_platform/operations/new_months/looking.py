"""Asking a source about many months, politely: a few questions at once, and none after it stops answering."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from taxi_platform.errors import NotPublished, SourceUnreachable, TaxiError
from taxi_platform.operations.new_months.new_months import Candidate, Published
from taxi_platform.sources.source import Source

AT_ONCE = 4
LONGEST_LOOK = 25.0  # seconds after which no more questions are asked; Dagster gives up on a tick after 60


@dataclass
class Answers:
    """What a source answered to the questions of one look.

    Attributes:
        published: what it has, by month.
        absent: the months that it does not have.
        refused: the months of which it says something else, and what.
        unreachable: why no more questions were asked, if that was the source's doing.
    """

    published: dict[Candidate, Published] = field(default_factory=dict[Candidate, Published])
    absent: list[Candidate] = field(default_factory=list[Candidate])
    refused: dict[Candidate, TaxiError] = field(default_factory=dict[Candidate, TaxiError])
    unreachable: SourceUnreachable | None = None

    @property
    def count(self) -> int:
        """How many questions were answered."""
        return len(self.published) + len(self.absent) + len(self.refused)


def ask(source: Source, months: Sequence[Candidate], clock: Callable[[], float] = time.monotonic) -> Answers:
    """Ask a source about months, in order, until it stops answering or the look has taken long enough."""
    answers = Answers()
    ends = clock() + LONGEST_LOOK
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="look") as pool:
        for start in range(0, len(months), AT_ONCE):
            list(pool.map(partial(_ask, source, answers), months[start : start + AT_ONCE]))
            if answers.unreachable or clock() > ends:
                break
    return answers


def _ask(source: Source, answers: Answers, month: Candidate) -> None:
    try:
        address = source.trips(month.service, month.month)
        answers.published[month] = Published(address, source.version(address))
    except NotPublished:
        answers.absent.append(month)
    except SourceUnreachable as error:
        answers.unreachable = error
    except TaxiError as error:
        answers.refused[month] = error
