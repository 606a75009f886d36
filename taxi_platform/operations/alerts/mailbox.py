"""What the sensor remembers from one tick to the next: which failures it has seen, and who still has to hear of them.

Pure, but for its being written as JSON into the sensor's cursor, which people can read in the web UI: no secret is in
it. What an address has heard already is written into the run's own log too, at once, so that nothing is said twice
when a tick ends before its cursor is stored.
"""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Run = TypeVar("Run")

# Storage ids. PostgreSQL hands them out before it commits, so that a lower one can appear after a higher one.
OVERLAP = 200
# Seconds.
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 1800.0
KEEP = 24 * 3600.0
# Messages to one address: so many at once, and one more after each interval.
BURST, INTERVAL = 10, 360.0


class Waiting(BaseModel):
    """A failed run that has not been told to every address.

    Attributes:
        since: when its failure was seen.
        told: the marks of the addresses that have heard of it.
    """

    since: float
    told: list[str] = []


class Line(BaseModel):
    """The line to one address.

    Attributes:
        failures: how many attempts in a row have failed.
        not_before: when it may be tried again.
        allowance: how many messages it might take at ``at``.
        at: when that was.
    """

    failures: int = 0
    not_before: float = 0
    allowance: float = BURST
    at: float = 0

    def allowed(self, now: float) -> int:
        """How many messages may go there now."""
        return int(self._filled(now))

    def after_success(self, now: float) -> "Line":
        """The line once a message has been taken."""
        return Line(allowance=self._filled(now) - 1, at=now)

    def after_failure(self, now: float) -> "Line":
        """The line once a message could not be delivered: the pauses between attempts double."""
        pause = min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        return Line(failures=self.failures + 1, not_before=now + pause, allowance=self._filled(now), at=now)

    def _filled(self, now: float) -> float:
        return min(float(BURST), self.allowance + max(0.0, now - self.at) / INTERVAL)


class Mailbox(BaseModel):
    """The sensor's memory.

    Attributes:
        after: the storage id of the last failure that was read.
        seen: those of the failures read that lie less than ``OVERLAP`` before it.
        waiting: failed runs by their id.
        lines: the lines by their address's mark.
    """

    after: int
    seen: list[int] = []
    waiting: dict[str, Waiting] = {}
    lines: dict[str, Line] = {}

    @classmethod
    def read(cls, cursor: str | None) -> "Mailbox | None":
        """The memory in a cursor; nothing when there is none, or it is not one of ours."""
        try:
            return cls.model_validate_json(cursor) if cursor else None
        except ValidationError:
            return None

    def note(self, storage_id: int, run_id: str, now: float, *, tell: bool = True) -> None:
        """Take in a failure that was read; one that was taken in before changes nothing."""
        if storage_id in self.seen:
            return
        self.after = max(self.after, storage_id)
        self.seen = sorted(one for one in [*self.seen, storage_id] if one > self.after - OVERLAP)
        if tell:
            self.waiting.setdefault(run_id, Waiting(since=now))

    def line(self, mark: str) -> Line:
        """The line to an address."""
        return self.lines.get(mark, Line())

    def forget_lines(self, marks: Sequence[str]) -> None:
        """Keep the lines to these addresses alone."""
        self.lines = {mark: line for mark, line in self.lines.items() if mark in marks}


def batches(runs: Sequence[Run], allowed: int) -> list[Sequence[Run]]:
    """How runs share the messages that an address may get now: one each, and the last message for all that are left.

    Nothing may go while nothing is allowed; the runs then wait, and share the next message.
    """
    if allowed < 1:
        return []
    alone = len(runs) if len(runs) <= allowed else allowed - 1
    rest = runs[alone:]
    return [[run] for run in runs[:alone]] + ([rest] if rest else [])
