"""Two ways of doing the same, timed alternately, so that changes in the machine's speed affect both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Run = Callable[[], float]


@dataclass(frozen=True)
class Pairs:
    """The times of paired runs, run by run.

    Attributes:
        ours: seconds (or whatever else is compared) of the platform's way.
        other: of what it is compared with.
    """

    ours: Sequence[float]
    other: Sequence[float]

    @property
    def speedups(self) -> list[float]:
        """How many times faster the platform was, pair by pair."""
        return [other / ours for ours, other in zip(self.ours, self.other, strict=True)]

    @property
    def surpluses(self) -> list[float]:
        """How much longer the platform took, pair by pair."""
        return [ours - other for ours, other in zip(self.ours, self.other, strict=True)]

    @property
    def shares(self) -> list[float]:
        """How much longer the platform took, as a share of the other time, pair by pair."""
        return [ours / other - 1 for ours, other in zip(self.ours, self.other, strict=True)]


def in_turn(runs: Sequence[Run], count: int) -> list[list[float]]:
    """Run all once to warm up, and then ``count`` rounds: A B C A B C and so on.

    Each run prepares what it needs, and returns the seconds to compare.
    """
    for run in runs:
        run()
    rounds = [[run() for run in runs] for _ in range(count)]
    return [list(seconds) for seconds in zip(*rounds, strict=True)]


def in_pairs(ours: Run, other: Run, count: int) -> Pairs:
    """Run two alternately: A B A B and so on."""
    return Pairs(*in_turn([ours, other], count))


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Return the median with the minimum and the maximum, e.g. ``1.65 (1.52 … 1.71)``."""
    low, middle, high = (form.format(value) for value in (min(values), median(values), max(values)))
    return f"{middle} ({low} … {high})"
