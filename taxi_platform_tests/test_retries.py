"""Retry policies: attempts, waits and conditions."""

import pytest

from taxi_platform.errors import AccessDenied, SourceUnreachable
from taxi_platform.retries import MONTH_AGAIN, RetryPolicy


class Action:
    """An action that fails with these errors, one after the other, and then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self.calls = 0
        self._errors = list(errors)

    def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def away(retry_after: float | None = None) -> SourceUnreachable:
    error = SourceUnreachable("the source", "it does not answer")
    error.retry_after = retry_after
    return error


def test_waits_grow_up_to_the_longest_with_some_jitter(no_waits: list[float]) -> None:
    action = Action(*[away() for _ in range(6)])
    with pytest.raises(SourceUnreachable):
        RetryPolicy(attempts=6, first_wait=1, longest_wait=6, jitter=1).run(action, subject="x")
    for wait, least in zip(no_waits, [1, 2, 4, 6, 6], strict=True):
        assert least <= wait <= least + 1
    assert no_waits != [1, 2, 4, 6, 6]


def test_a_month_is_tried_again_after_15_and_60_seconds(no_waits: list[float]) -> None:
    with pytest.raises(SourceUnreachable):
        MONTH_AGAIN.run(Action(away(), away(), away()), subject="x")
    assert no_waits == [15.0, 60.0]


def test_each_failed_attempt_is_logged_with_its_reason_and_the_wait(
    no_waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "taxi_platform")
    assert MONTH_AGAIN.run(Action(away(), away()), subject="green") == "done"
    assert caplog.messages == [
        "green: it does not answer; attempt 2 of 3 in 15.0 s",
        "green: the same error; attempt 3 of 3 in 60.0 s",
    ]


def test_an_error_that_is_not_transient_is_raised_at_once(no_waits: list[float]) -> None:
    action = Action(AccessDenied("the source", "no"))
    with pytest.raises(AccessDenied):
        MONTH_AGAIN.run(action, subject="x")
    assert (action.calls, no_waits) == (1, [])


def test_the_caller_may_decide_what_is_transient(no_waits: list[float]) -> None:
    action = Action(KeyError("x"))
    assert MONTH_AGAIN.run(action, subject="x", is_transient=lambda error: isinstance(error, KeyError)) == "done"
    with pytest.raises(SourceUnreachable):
        MONTH_AGAIN.run(Action(away()), subject="x", is_transient=lambda _: False)


def test_retry_after_is_obeyed_unless_it_is_too_long(no_waits: list[float]) -> None:
    policy = RetryPolicy(attempts=3, first_wait=1, longest_wait=2, longest_retry_after=30)
    assert policy.run(Action(away(retry_after=20), away(retry_after=0.5)), subject="x") == "done"
    assert no_waits == [20, 2]
    action = Action(away(retry_after=31))
    with pytest.raises(SourceUnreachable):
        policy.run(action, subject="x")
    assert action.calls == 1


@pytest.mark.parametrize("policy", [RetryPolicy(attempts=1), RetryPolicy(total=0)])
def test_no_attempt_begins_after_the_last_one_or_the_total_time(no_waits: list[float], policy: RetryPolicy) -> None:
    action = Action(away(), away())
    with pytest.raises(SourceUnreachable):
        policy.run(action, subject="x")
    assert (action.calls, no_waits) == (1, [])


def test_a_condition_is_polled_until_it_holds_and_the_wait_is_logged_once(
    no_waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "taxi_platform")
    answers = iter([False, False, False, True])
    assert RetryPolicy(first_wait=1, longest_wait=3).wait_until(lambda: next(answers), waiting_for="waiting for it")
    assert no_waits == [1, 2, 3]
    assert caplog.messages == ["waiting for it"]


def test_waiting_for_a_condition_ends_after_the_total_time(no_waits: list[float]) -> None:
    assert not RetryPolicy(total=-1).wait_until(lambda: False, waiting_for="x")
    assert RetryPolicy(total=-1).wait_until(lambda: True, waiting_for="x")
