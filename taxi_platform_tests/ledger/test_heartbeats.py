"""How long a run's process counts as silent, for a clock that a test moves."""

from collections.abc import Callable

import pytest

from taxi_platform.ledger.heartbeats import LONGEST_GAP_SECONDS, Watch, whose


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def look(clock: Clock) -> Callable[[float, object], float]:
    """Look after so many seconds at a run that shows this."""
    watch = Watch(clock)

    def looked(after: float, seen: object) -> float:
        clock.now += after
        return watch.unchanged("run", seen)

    return looked


def test_silence_adds_up_while_the_sign_is_the_same(look: Callable[[float, object], float]) -> None:
    assert [look(15, "a") for _ in range(5)] == [0, 15, 30, 45, 60]


def test_another_sign_ends_the_silence(look: Callable[[float, object], float]) -> None:
    assert [look(15, sign) for sign in "aaabb"] == [0, 15, 30, 0, 15]


def test_a_run_that_never_gave_a_sign_is_silent_too(look: Callable[[float, object], float]) -> None:
    assert [look(15, None) for _ in range(3)] == [0, 15, 30]


def test_an_hour_in_which_nobody_looked_counts_as_a_short_gap(look: Callable[[float, object], float]) -> None:
    look(0, "a")
    assert look(3600, "a") == LONGEST_GAP_SECONDS


def test_runs_are_watched_apart_and_forgotten_when_they_are_over(clock: Clock) -> None:
    watch = Watch(clock)
    watch.unchanged("one", "a")
    clock.now += 10
    assert (watch.unchanged("one", "a"), watch.unchanged("two", "a")) == (10, 0)
    watch.forget("one")
    watch.forget("never seen")
    assert watch.unchanged("one", "a") == 0


def test_the_process_is_named_as_far_as_it_is_known() -> None:
    assert whose('{"host": "code", "pid": 7, "beat": 3}') == "process 7 on code"
    assert whose(None) == "its process"
