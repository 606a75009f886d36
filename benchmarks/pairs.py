"""Measurements in turn: two or more ways are timed alternately, so that changes of the machine's speed affect all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Run = Callable[[], float]


@dataclass(frozen=True)
class Pairs:
    """The times of paired runs, run by run.

    Attributes:
        ours: the seconds (or other values) of the platform.
        other: those of the other way.
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
    """Run all once to warm up and then in turn (A B C A B C …) for ``count`` rounds; return the seconds of each.

    Each run prepares its own data, and returns the seconds to compare.
    """
    for run in runs:
        run()
    rounds = [[run() for run in runs] for _ in range(count)]
    return [list(seconds) for seconds in zip(*rounds, strict=True)]


def in_pairs(ours: Run, other: Run, count: int) -> Pairs:
    """Run two in turn (A B A B …) after a warm-up, and return their times."""
    return Pairs(*in_turn([ours, other], count))


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Return the median with the minimum and the maximum, e.g. ``1.65 (1.52 … 1.71)``."""
    low, middle, high = (form.format(value) for value in (min(values), median(values), max(values)))
    return f"{middle} ({low} … {high})"
