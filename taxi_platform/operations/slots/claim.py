"""What claiming a slot means, and waiting for one. Where slots are kept is the business of each kind of claim."""

from typing import Literal, Protocol, get_args

from taxi_platform.errors import InvalidSetting, TooManyRuns
from taxi_platform.retries import TURN

WhenFull = Literal["fail", "queue"]


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


def take(claim: Claim, subject: str, when_full: WhenFull, advice: str) -> None:
    """Hold a slot from now on, if need be after waiting for it.

    Args:
        claim: whose slot.
        subject: the job and its limit, for messages.
        when_full: whether to fail at once when no slot is free, or to wait until one is.
        advice: what who fails can do about it.

    Raises:
        TooManyRuns: no slot is free, and nobody wanted to wait.
    """
    if when_full == "queue":
        TURN.wait_until(claim.try_take, waiting_for=f"{subject}: that many are at it already; waiting until one ends")
    elif not claim.try_take():
        raise TooManyRuns(subject, "that many are at it already", advice)


def when_full(text: str, tag: str) -> WhenFull:
    """What a run's tag says about a job without a free slot.

    Raises:
        InvalidSetting: it says something else.
    """
    for choice in get_args(WhenFull):
        if text == choice:
            return choice
    raise InvalidSetting(f"the tag {tag}={text}", "it is neither fail nor queue", "Write one of the two.")
