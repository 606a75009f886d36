"""The new-month sensor's decisions: what it asks about, what it requests, its cursor."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import AccessDenied, NotPublished, SourceUnreachable, TaxiError
from taxi_platform.ledger.record import Attempt, Materialized, MonthRecord, Waiting
from taxi_platform.operations import new_months
from taxi_platform.operations.new_months import (
    LONGEST_REST,
    MOST_QUESTIONS,
    MOST_REQUESTS,
    Asked,
    NewMonthsCursor,
    SourceAnswer,
    ask,
    candidates,
    decide,
    parse_cursor,
    questions,
)
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.keys import raw_key, table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, Service

FIRST, LAST = Month(2019, 1), Month(2021, 7)
NOW, DAY = 1_800_000_000.0, 86_400.0

versions = st.builds(
    SourceVersion,
    st.none() | st.sampled_from(['"a"', '"b"']),
    st.none() | st.sampled_from(["Mon", "Tue"]),
    st.none() | st.integers(1, 2),
)


def version(etag: str | None = '"v1"', size: int | None = 100) -> SourceVersion:
    return SourceVersion(etag, "Tue, 02 Apr 2019 10:00:00 GMT", size)


def raw_file(version: SourceVersion, order: int = 7, *, landed: bool = False) -> Materialized:
    """Return Dagster's record of a raw file that was fetched in this version."""
    return Materialized(
        order=order, run_id="run", timestamp=NOW, source="https://host/july", version=version, landed=landed
    )


def record(
    service: Service = GREEN, month: Month = LAST, raw: Materialized | None = None, **values: object
) -> MonthRecord:
    materialized = {raw_key(service.table): raw} if raw else {}
    return MonthRecord(service=service, month=month, materialized=materialized, **values)  # pyright: ignore


def answer(version: SourceVersion, raw: Materialized | None = None, address: str = "https://host/july") -> SourceAnswer:
    """Return the source's answer about 2021-07; ``raw`` is the raw file that is recorded, if one is."""
    return SourceAnswer(record(raw=raw), address, version)


def every_month(first: Month = FIRST) -> list[MonthRecord]:
    return candidates([record(service, month) for service in SERVICES.values() for month in first.through(LAST)])


JULY = record()


class Fake:
    """A source whose answers a test sets: a version, or an error to raise."""

    asking_is_free = False

    def __init__(self, answer: Callable[[str], SourceVersion]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def trips(self, service: Service, month: Month) -> str:
        return f"https://host/{service.file_name(month)}"

    def version(self, address: str) -> SourceVersion:
        self.asked.append(address)
        return self.answer(address)


def ask_fake(source: Any, months: Iterable[MonthRecord]) -> list[SourceAnswer]:
    return ask(source, list(months))


def raising(error: TaxiError) -> Callable[[str], SourceVersion]:
    def answer(address: str) -> SourceVersion:
        raise error

    return answer


# Which versions are wanted


@pytest.mark.parametrize(
    ("published", "wanted"),
    [
        (answer(version()), True),
        (answer(version(), raw_file(version())), False),
        (answer(version('"v2"'), raw_file(version())), True),
        (answer(version(None), raw_file(version())), True),
        (answer(version(size=101), raw_file(version())), True),
        (answer(version(), raw_file(version()), address="https://other/july"), True),
        (answer(version(size=None), raw_file(version())), False),
        (answer(version(), raw_file(version(size=None))), False),
        (answer(version('"v2"'), raw_file(version(), landed=True)), False),
    ],
)
def test_a_month_is_wanted_unless_this_very_file_or_a_dropped_one_is_loaded(
    published: SourceAnswer, wanted: bool
) -> None:
    assert published.is_wanted("") == wanted


@given(versions, st.none() | versions)
def test_no_version_is_requested_twice(now: SourceVersion, then: SourceVersion | None) -> None:
    published = answer(now, then and raw_file(then))
    assert not published.is_wanted(published.token)


@given(versions, versions)
def test_versions_have_the_same_token_only_if_they_are_the_same(one: SourceVersion, other: SourceVersion) -> None:
    assert (answer(one).token == answer(other).token) == (one == other)


def test_the_run_key_names_the_file_its_version_and_the_record_that_it_follows() -> None:
    first, second = version('"v1"'), version('"v2"')
    keys = [
        answer(first).run_key,
        answer(second, raw_file(first, 3)).run_key,
        answer(first, raw_file(second, 5)).run_key,
    ]
    assert keys[0] == f"green_tripdata_2021-07.csv@{answer(first).token} after 0"
    assert len(set(keys)) == 3


# Which months a tick asks about


def test_a_tick_has_a_bounded_number_of_questions_and_a_few_ticks_ask_about_everything() -> None:
    months = every_month()
    cursor, seen = NewMonthsCursor(), list[str]()
    ticks = 0
    while len(set(seen)) < len(months):
        due = questions(months, cursor)
        assert len(due) <= MOST_QUESTIONS
        seen += [month.file_name for month in due]
        cursor = NewMonthsCursor(
            questions={**cursor.questions, **{month.file_name: Asked(at=NOW + ticks) for month in due}}
        )
        ticks += 1
    assert ticks == 11  # 124 months, twelve at a time


def test_a_source_that_answers_at_once_is_asked_about_everything() -> None:
    months = every_month()
    cursor = NewMonthsCursor(questions={month.file_name: Asked(at=NOW) for month in months})
    assert len(questions(months, cursor, most=None)) == 124


@pytest.mark.parametrize(
    "busy",
    [
        record(attempts={table_key(GREEN.table): Attempt("run", "unfinished", None)}),
        record(attempts={raw_key(GREEN.table): Attempt("run", "unfinished", None)}),
        record(waiting=Waiting("backfill", datetime.fromtimestamp(NOW, timezone.utc))),
        record(raw=raw_file(version(), landed=True)),
    ],
)
def test_a_month_that_is_being_loaded_or_was_dropped_by_hand_is_not_asked_about(busy: MonthRecord) -> None:
    assert questions([busy], NewMonthsCursor()) == []
    assert questions([busy], NewMonthsCursor(), most=None) == []


def test_a_month_whose_run_has_failed_is_asked_about() -> None:
    failed = record(attempts={table_key(GREEN.table): Attempt("run", "failed", None)})
    assert len(questions([failed], NewMonthsCursor())) == 1


def test_a_month_that_is_not_a_partition_is_not_asked_about() -> None:
    assert candidates([record(is_partition=False)]) == []


# How the source is asked


def test_every_answer_is_kept_with_its_month() -> None:
    def answers_of(address: str) -> SourceVersion:
        if "yellow" in address:
            raise NotPublished("f", "404")
        if "fhv" in address:
            raise AccessDenied("f", "403")
        return version()

    answers = ask_fake(Fake(answers_of), every_month(LAST))
    assert {answer.record.service.name: type(answer.error) for answer in answers} == {
        "green": type(None),
        "yellow": NotPublished,
        "fhv": AccessDenied,
        "fhvhv": AccessDenied,
    }
    assert decide(answers, NewMonthsCursor(), NOW, known=4).summary == (
        "Asked about 4 of 4 months: 1 not published, 1 to load (green_tripdata_2021-07.csv). 2 were refused: f: 403."
    )


def test_a_source_that_does_not_answer_is_not_asked_about_further_months() -> None:
    source = Fake(raising(SourceUnreachable("f", "503")))
    tick = decide(ask_fake(source, every_month()), NewMonthsCursor(), NOW, known=93)
    assert len(source.asked) <= 4
    assert tick.summary.startswith("Asked about 0 of 93 months")
    assert "The source stopped answering, the next tick goes on from here. f: 503." in tick.summary


def test_a_tick_ends_in_time_however_long_the_source_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_months, "ANSWER_SECONDS", 0.2)
    release = threading.Event()

    def slow(address: str) -> SourceVersion:
        if "yellow" in address:
            release.wait(10)
        return version()

    began = time.monotonic()
    tick = decide(ask_fake(Fake(slow), every_month(Month(2021, 6))), NewMonthsCursor(), NOW, known=6)
    seconds = time.monotonic() - began
    release.set()
    assert seconds < 5
    assert len(tick.requests) == 3  # of the first four months; the next tick asks about the others
    assert "no answer to 1 of 4 questions after 0 s" in tick.summary
    assert set(tick.cursor.questions) == {
        "green_tripdata_2021-07.csv",
        "fhv_tripdata_2021-07.csv",
        "fhvhv_tripdata_2021-07.csv",
    }


# What a tick requests


def published(months: Iterable[MonthRecord], etag: str = '"v1"') -> list[SourceAnswer]:
    return [SourceAnswer(month, month.file_name, version(etag)) for month in months]


def test_a_version_is_requested_once_however_its_run_ends_and_the_next_version_again() -> None:
    tick = decide(published([JULY]), NewMonthsCursor(), NOW, known=93)
    assert list(tick.requests.values()) == [JULY]
    assert decide(published([JULY]), tick.cursor, NOW + 600, known=93).requests == {}
    assert len(decide(published([JULY], '"v2"'), tick.cursor, NOW + 600, known=93).requests) == 1


def test_half_a_year_is_caught_up_in_bounded_steps_without_a_gap_and_nothing_twice() -> None:
    months = every_month(Month(2021, 2))
    cursor, requested = NewMonthsCursor(), list[str]()
    steps = 0
    while len(requested) < len(months):
        tick = decide(published(questions(months, cursor)), cursor, NOW + 600 * steps, known=93)
        assert 0 < len(tick.requests) <= MOST_REQUESTS
        requested += [record.file_name for record in tick.requests.values()]
        cursor = tick.cursor
        steps += 1
    assert sorted(requested) == sorted(month.file_name for month in months)
    assert steps == 3


def test_a_question_without_an_answer_is_asked_again_and_the_others_keep_their_place() -> None:
    other = record(month=Month(2019, 2))
    answers = [
        SourceAnswer(JULY, error=NotPublished("f", "404")),
        SourceAnswer(other, error=SourceUnreachable("f", "timed out")),
    ]
    cursor = decide(
        answers, NewMonthsCursor(questions={other.file_name: Asked(at=NOW - 6 * DAY, requested="x")}), NOW, known=93
    ).cursor
    assert cursor.asked(JULY.file_name).at == NOW
    assert cursor.asked(other.file_name) == Asked(at=NOW - 6 * DAY, requested="x")
    assert cursor.rest_until == 0


@pytest.mark.parametrize(("asked", "granted"), [(900.0, 900.0), (10 * DAY, LONGEST_REST)])
def test_retry_after_is_obeyed_up_to_a_limit(asked: float, granted: float) -> None:
    error = SourceUnreachable("f", "429")
    error.retry_after = asked
    assert (
        decide([SourceAnswer(JULY, error=error)], NewMonthsCursor(), NOW, known=93).cursor.rest_until == NOW + granted
    )


# The cursor


@given(
    st.builds(
        NewMonthsCursor,
        questions=st.dictionaries(st.text(), st.builds(Asked, at=st.floats(0, 1e11), requested=st.text())),
        rest_until=st.floats(0, 1e11),
    )
)
def test_a_cursor_is_read_from_its_text(cursor: NewMonthsCursor) -> None:
    assert parse_cursor(cursor.dump()) == cursor


@pytest.mark.parametrize(
    "cursor",
    [None, "", "2021-07", "{}", "[]", "null", '{"version": 0, "looks": {}}', '{"version": 99}',
     '{"version":1,"rest_unt', '{"version": 1, "rest_until": 0, "looks": []}',
     '{"version": 1, "rest_until": 0, "looks": {"a": 3}}'],
)  # fmt: skip
def test_a_cursor_that_is_missing_old_or_broken_counts_as_empty(cursor: str | None) -> None:
    assert parse_cursor(cursor) == NewMonthsCursor()
