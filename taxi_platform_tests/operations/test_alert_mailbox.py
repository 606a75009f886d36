"""What the sensor remembers between ticks: failures read once, lines with pauses, and storms that share messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.operations.alerts.mailbox import BURST, INTERVAL, LONGEST_PAUSE, OVERLAP, Line, Mailbox, batches


@given(st.lists(st.integers(1, 1000), unique=True, max_size=60))
def test_failures_that_appear_out_of_order_are_all_taken_in_once(ids: list[int]) -> None:
    """As for a reader that starts ``OVERLAP`` before its place: PostgreSQL commits lower ids after higher ones."""
    mailbox, visible, taken = Mailbox(after=0), list[int](), list[str]()
    for one in ids:
        # Whatever became visible late lies not further back than the reader looks.
        visible = sorted([*visible, one]) if one > mailbox.after - OVERLAP else visible
        for found in [found for found in visible if found > mailbox.after - OVERLAP]:
            before = set(mailbox.waiting)
            mailbox.note(found, f"run {found}", now=0)
            taken += set(mailbox.waiting) - before
    assert sorted(taken) == sorted(f"run {one}" for one in visible)


def test_a_run_that_was_told_and_forgotten_is_not_taken_in_again() -> None:
    mailbox = Mailbox(after=0)
    mailbox.note(7, "run", now=0)
    del mailbox.waiting["run"]
    mailbox.note(7, "run", now=1)
    assert mailbox.waiting == {}


def test_the_memory_of_old_failures_is_bounded() -> None:
    mailbox = Mailbox(after=0)
    for storage_id in range(1, 5 * OVERLAP):
        mailbox.note(storage_id, f"run {storage_id}", now=0, tell=False)
    assert len(mailbox.seen) <= OVERLAP


def test_a_cursor_brings_everything_to_the_next_tick() -> None:
    mailbox = Mailbox(after=0, lines={"mark": Line().after_failure(5)})
    mailbox.note(7, "run", now=3)
    mailbox.waiting["run"].told.append("other")
    assert Mailbox.read(mailbox.model_dump_json()) == mailbox


@pytest.mark.parametrize("cursor", [None, "", "17", "{}", "not json", '{"after": "x"}', "[]"])
def test_a_cursor_of_somebody_else_is_none(cursor: str | None) -> None:
    assert Mailbox.read(cursor) is None


def test_pauses_after_failures_double_up_to_half_an_hour_and_end_with_a_success() -> None:
    line, pauses = Line(), list[float]()
    for _ in range(9):
        line = line.after_failure(now=100)
        pauses.append(line.not_before - 100)
    assert pauses == [30, 60, 120, 240, 480, 960, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert line.after_success(now=100).not_before == 0
    assert line.after_success(now=100).failures == 0


def test_messages_come_in_a_burst_and_then_at_intervals() -> None:
    line = Line()
    for _ in range(BURST):
        assert line.allowed(now=1000) > 0
        line = line.after_success(now=1000)
    assert line.allowed(now=1000) == 0
    assert line.allowed(now=1000 + INTERVAL - 1) == 0
    assert line.allowed(now=1000 + INTERVAL) == 1
    assert line.allowed(now=1000 + 1000 * INTERVAL) == BURST


@given(st.integers(0, 60), st.integers(0, BURST))
def test_every_run_is_in_one_message_and_no_more_go_than_are_allowed(runs: int, allowed: int) -> None:
    made = batches(range(runs), allowed)
    assert len(made) <= allowed
    assert all(made)
    assert [run for batch in made for run in batch] == (list(range(runs)) if allowed else [])


def test_a_storm_shares_the_last_message() -> None:
    assert [len(batch) for batch in batches(range(31), BURST)] == [1] * 9 + [22]
    assert [len(batch) for batch in batches(range(10), BURST)] == [1] * 10
    assert [len(batch) for batch in batches(range(3), 1)] == [3]
