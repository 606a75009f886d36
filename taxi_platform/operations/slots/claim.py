"""What claiming a slot means, and waiting for one. Where slots are kept is the business of each kind of claim."""

import time
from collections.abc import Callable
from typing import Literal, Protocol, get_args

from taxi_platform.errors import InvalidSetting, TooManyRuns

Log = Callable[[str], object]
WhenFull = Literal["fail", "queue"]
POLL = 0.5  # seconds between two looks for a free slot


class Claim(Protocol):
    """One run's claim to one of a job's slots.

    Exact among all processes: there is never a moment at which more claims hold a slot than there are slots. A slot is
    held until it is released or the process ends, however it ends.
    """

    def try_take(self) -> bool:
        """Take any slot that is free; whether there was one."""
        ...

    def release(self) -> None:
        """Give the slot back, if one is held."""
        ...


def take(claim: Claim, subject: str, when_full: WhenFull, advice: str, log: Log, poll: float = POLL) -> None:
    """Hold a slot from now on, if need be after waiting for it.

    Args:
        claim: whose slot.
        subject: the job and its limit, for messages.
        when_full: whether to fail at once when no slot is free, or to wait until one is.
        advice: what who fails can do about it.
        log: where it is told that somebody waits.
        poll: seconds between two looks.

    Raises:
        TooManyRuns: no slot is free, and nobody wanted to wait.
    """
    if claim.try_take():
        return
    if when_full == "fail":
        raise TooManyRuns(subject, "that many are at it already", advice)
    log(f"{subject}: that many are at it already; waiting until one of them has ended")
    while not claim.try_take():
        time.sleep(poll)


def when_full(text: str, tag: str) -> WhenFull:
    """What a run's tag says about a job without a free slot.

    Raises:
        InvalidSetting: it says something else.
    """
    for choice in get_args(WhenFull):
        if text == choice:
            return choice
    raise InvalidSetting(f"the tag {tag}={text}", "it is neither fail nor queue", "Write one of the two.")
