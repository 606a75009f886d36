"""The new-month sensor's decisions: what it asks about, what it asks for, what it remembers."""

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import AccessDenied, NotPublished, SourceUnreachable, TaxiError
from taxi_platform.ledger.record import Attempt, Materialized, MonthRecord, Waiting
from taxi_platform.operations.new_months import (
    DAY,
    LONGEST_REST,
    MOST_QUESTIONS,
    MOST_REQUESTS,
    Answers,
    Asked,
    Candidate,
    Cursor,
    Published,
    Tick,
    ask,
    candidates,
    decide,
    is_wanted,
    parse_cursor,
    questions,
    run_key,
    token,
)
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.keys import raw_key, table_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, YELLOW, Service

FIRST, LAST = Month(2019, 1), Month(2021, 7)
JULY_FILE = "green_tripdata_2021-07.csv"
NOW = 1_800_000_000.0

versions = st.builds(
    SourceVersion,
    st.none() | st.sampled_from(['"a"', '"b"']),
    st.none() | st.sampled_from(["Mon", "Tue"]),
    st.none() | st.integers(1, 2),
)


def published(etag: str | None = '"v1"', size: int | None = 100, address: str = "https://host/july") -> Published:
    return Published(address, SourceVersion(etag, "Tue, 02 Apr 2019 10:00:00 GMT", size))


def recorded(found: Published, order: int = 7, *, landed: bool = False) -> Materialized:
    """Return Dagster's record of a raw file that was fetched when this was published."""
    return Materialized(
        order=order, run_id="run", timestamp=NOW, source=found.address, version=found.version, landed=landed
    )


def record(service: Service = GREEN, month: Month = LAST, **values: object) -> MonthRecord:
    return MonthRecord(service=service, month=month, **values)  # pyright: ignore[reportArgumentType]


def with_raw(raw: Materialized, service: Service = GREEN, month: Month = LAST) -> MonthRecord:
    return record(service, month, materialized={raw_key(service.table): raw})


def every_month(first: Month = FIRST) -> list[Candidate]:
    return candidates([record(service, month) for service in SERVICES.values() for month in first.through(LAST)])


JULY = Candidate(record(), 0)


class Fake:
    """A source whose answers a test gives: a version, or what is raised."""

    asking_is_free = False

    def __init__(self, answer: Callable[[str], SourceVersion]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def trips(self, service: Service, month: Month) -> str:
        return f"https://host/{service.file_name(month)}"

    def version(self, address: str) -> SourceVersion:
        self.asked.append(address)
        return self.answer(address)


def looked(source: Any, months: Iterable[Candidate]) -> Answers:
    return ask(source, list(months))


def raising(error: TaxiError) -> Callable[[str], SourceVersion]:
    def answer(address: str) -> SourceVersion:
        raise error

    return answer


# What is wanted


def test_a_month_that_was_never_loaded_is_wanted() -> None:
    assert is_wanted(published(), None, "")


def test_a_month_that_is_loaded_from_this_very_file_is_not_wanted() -> None:
    assert not is_wanted(published(), recorded(published()), "")


@pytest.mark.parametrize(
    "other", [published('"v2"'), published(size=101), published(address="https://other/july"), published(None)]
)
def test_another_etag_size_or_address_is_another_file(other: Published) -> None:
    assert is_wanted(other, recorded(published()), "")


def test_a_size_that_one_side_does_not_tell_decides_nothing() -> None:
    assert not is_wanted(published(size=None), recorded(published()), "")
    assert not is_wanted(published(), recorded(published(size=None)), "")


def test_a_file_that_came_by_the_landing_folder_stays() -> None:
    assert not is_wanted(published('"v2"'), recorded(published(), landed=True), "")


@given(versions, st.none() | versions)
def test_nothing_is_asked_for_twice(now: SourceVersion, then: SourceVersion | None) -> None:
    found = Published("a", now)
    raw = then and recorded(Published("a", then))
    assert not is_wanted(found, raw, token(found))


@given(versions, versions)
def test_versions_have_the_same_token_only_if_they_are_the_same(one: SourceVersion, other: SourceVersion) -> None:
    assert (token(Published("a", one)) == token(Published("a", other))) == (one == other)


def test_the_run_key_names_the_file_its_version_and_what_it_follows() -> None:
    assert run_key(JULY_FILE, published(), None) == f"green_tripdata_2021-07.csv@{token(published())} after 0"


def test_a_version_that_comes_back_after_another_has_a_run_key_of_its_own() -> None:
    first, second = published('"v1"'), published('"v2"')
    keys = [
        run_key(JULY_FILE, first, None),
        run_key(JULY_FILE, second, recorded(first, 3)),
        run_key(JULY_FILE, first, recorded(second, 5)),
    ]
    assert len(set(keys)) == 3


# What is asked


def test_the_newest_months_are_asked_about_in_every_look_and_the_oldest_once_a_week() -> None:
    months = every_month()
    seen = Cursor({month.file_name: Asked(at=NOW) for month in months})
    asked: dict[int, list[float]] = {0: [], 5: [], 30: []}
    for minute in range(0, 15 * 24 * 60, 10):
        now = NOW + 60 * minute
        due = questions(months, seen, now)
        seen = Cursor({**seen.looks, **{month.file_name: Asked(at=now) for month in due}})
        for month in due:
            if month.record.service is GREEN and month.newer in asked:
                asked[month.newer].append(now)
    assert len(asked[0]) == 15 * 24 * 6
    assert len(asked[5]) == 14
    assert len(asked[30]) == 2


def test_a_look_has_a_bounded_number_of_questions_and_a_few_looks_see_everything() -> None:
    months = every_month()
    cursor, seen = Cursor(), list[str]()
    looks = 0
    while len(set(seen)) < len(months):
        due = questions(months, cursor, NOW + looks)
        assert len(due) <= MOST_QUESTIONS
        seen += [month.file_name for month in due]
        cursor = Cursor({**cursor.looks, **{month.file_name: Asked(at=NOW + looks) for month in due}})
        looks += 1
    assert looks == 4  # 93 months, of which nine are asked about every time


def test_a_first_look_begins_with_the_newest_months_of_all_services() -> None:
    due = questions(every_month(), Cursor(), NOW)
    assert {month.file_name for month in due[:3]} == {f"{name}_tripdata_2021-07.csv" for name in SERVICES}


def test_a_source_that_answers_at_once_is_asked_about_everything() -> None:
    months = every_month()
    cursor = Cursor({month.file_name: Asked(at=NOW) for month in months})
    assert len(questions(months, cursor, NOW, most=None)) == 93


@pytest.mark.parametrize(
    "busy",
    [
        record(attempts={table_key(GREEN.table): Attempt("run", "unfinished", None)}),
        record(attempts={raw_key(GREEN.table): Attempt("run", "unfinished", None)}),
        record(waiting=Waiting("backfill", datetime.fromtimestamp(NOW, timezone.utc))),
        with_raw(recorded(published(), landed=True)),
    ],
)
def test_a_month_that_is_being_loaded_or_was_dropped_by_hand_is_left_alone(busy: MonthRecord) -> None:
    assert questions([Candidate(busy, 0)], Cursor(), NOW) == []
    assert questions([Candidate(busy, 0)], Cursor(), NOW, most=None) == []


def test_a_month_whose_run_has_failed_is_asked_about() -> None:
    failed = record(attempts={table_key(GREEN.table): Attempt("run", "failed", None)})
    assert len(questions([Candidate(failed, 0)], Cursor(), NOW)) == 1


def test_a_month_that_is_not_a_partition_is_not_asked_about() -> None:
    assert candidates([record(is_partition=False)]) == []


# How it is asked


def test_each_answer_is_what_the_source_said() -> None:
    def answer(address: str) -> SourceVersion:
        if "yellow" in address:
            raise NotPublished("f", "404")
        if "fhv" in address:
            raise AccessDenied("f", "403")
        return published().version

    answers = looked(Fake(answer), every_month(LAST))
    assert [month.record.service.name for month, _ in answers.published] == ["green"]
    assert [month.record.service.name for month in answers.absent] == ["yellow"]
    assert [month.record.service.name for month, _ in answers.refused] == ["fhv"]
    assert answers.count == 3
    assert answers.unreachable is None


def test_a_source_that_does_not_answer_is_not_asked_on() -> None:
    source = Fake(raising(SourceUnreachable("f", "503")))
    answers = looked(source, every_month())
    assert len(source.asked) <= 4
    assert answers.count == 0
    assert answers.unreachable


def test_a_look_ends_in_time_for_dagsters_patience() -> None:
    source = Fake(lambda _: published().version)
    clock = iter([0.0, 10.0, 30.0, 31.0])
    answers = ask(source, every_month(), lambda: next(clock))  # pyright: ignore[reportArgumentType]
    assert answers.count == 8


# What follows


def decided(answers: Answers, cursor: Cursor, now: float) -> Tick:
    return decide(answers, cursor, now, known=93)


def found(months: Iterable[Candidate], etag: str = '"v1"') -> Answers:
    return Answers(published=[(month, published(etag, address=month.file_name)) for month in months])


def test_what_is_wanted_is_asked_for_once_and_then_remembered() -> None:
    decision = decided(found([JULY]), Cursor(), NOW)
    assert [request.record for request in decision.requests] == [JULY.record]
    assert decided(found([JULY]), decision.cursor, NOW + 600).requests == []


def test_a_version_whose_run_failed_is_not_asked_for_again_and_the_next_is() -> None:
    cursor = decided(found([JULY]), Cursor(), NOW).cursor
    assert decided(found([JULY]), cursor, NOW + 600).requests == []
    assert len(decided(found([JULY], '"v2"'), cursor, NOW + 600).requests) == 1


def test_half_a_year_is_caught_up_in_bounded_steps_without_a_gap_and_nothing_twice() -> None:
    months = every_month(Month(2021, 2))
    cursor, asked = Cursor(), list[str]()
    steps = 0
    while len(asked) < len(months):
        due = questions(months, cursor, NOW + 600 * steps)
        decision = decided(found(due), cursor, NOW + 600 * steps)
        assert 0 < len(decision.requests) <= MOST_REQUESTS
        asked += [request.record.file_name for request in decision.requests]
        cursor = decision.cursor
        steps += 1
    assert sorted(asked) == sorted(month.file_name for month in months)
    assert steps == 2


def test_on_a_platform_that_is_loaded_a_first_look_asks_for_nothing() -> None:
    answers = Answers()
    for month in every_month():
        there = published(address=month.file_name)
        loaded = with_raw(recorded(there), month.record.service, month.record.month)
        answers.published.append((Candidate(loaded, month.newer), there))
    assert decided(answers, Cursor(), NOW).requests == []


def test_a_question_without_an_answer_is_asked_again_and_the_others_keep_their_place() -> None:
    other = Candidate(record(month=Month(2019, 2)), 29)
    answers = Answers(absent=[JULY], unreachable=SourceUnreachable("f", "timed out"))
    cursor = decided(answers, Cursor({other.file_name: Asked(NOW - 6 * DAY, "x")}), NOW).cursor
    assert cursor.asked(JULY.file_name).at == NOW
    assert cursor.asked(other.file_name) == Asked(NOW - 6 * DAY, "x")
    assert cursor.rest_until == 0


@pytest.mark.parametrize(("asked", "granted"), [(900.0, 900.0), (10 * DAY, LONGEST_REST)])
def test_a_server_that_wants_to_be_left_alone_is_as_long_as_is_sensible(asked: float, granted: float) -> None:
    error = SourceUnreachable("f", "429")
    error.retry_after = asked
    assert decided(Answers(unreachable=error), Cursor(), NOW).cursor.rest_until == NOW + granted


def test_a_look_is_told_summary() -> None:
    answers = found([JULY])
    answers.absent = [Candidate(record(YELLOW), 0)]
    answers.refused = [
        (Candidate(record(month=FIRST), 30), AccessDenied("green_tripdata_2019-01.csv.gz", "answers 403"))
    ]
    decision = decided(answers, Cursor(), NOW)
    assert decision.summary == (
        "Asked about 3 of 93 months: 1 not published, 1 to load (green_tripdata_2021-07.csv). "
        "1 were refused: green_tripdata_2019-01.csv.gz: answers 403."
    )


# What is remembered


@given(
    st.builds(
        Cursor,
        st.dictionaries(st.text(), st.builds(Asked, st.floats(0, 1e11), st.text())),
        st.floats(0, 1e11),
    )
)
def test_a_cursor_is_read_from_its_text(cursor: Cursor) -> None:
    assert parse_cursor(cursor.dump()) == cursor


@pytest.mark.parametrize("cursor", [None, ""])
def test_without_a_cursor_nothing_is_remembered(cursor: str | None) -> None:
    assert parse_cursor(cursor) == Cursor()


@pytest.mark.parametrize(
    "cursor",
    ["2021-07", "{}", "[]", "null", '{"version": 0, "looks": {}}', '{"version": 99}', '{"version":1,"rest_unt',
     '{"version": 1, "rest_until": 0, "looks": []}', '{"version": 1, "rest_until": 0, "looks": {"a": 3}}'],
)  # fmt: skip
def test_a_cursor_that_is_old_or_broken_is_known_for_one(cursor: str) -> None:
    assert parse_cursor(cursor) is None


@given(st.text() | st.recursive(st.none() | st.integers(), lambda inner: st.lists(inner)).map(str))
def test_no_cursor_stops_the_sensor(cursor: str) -> None:
    parse_cursor(cursor)
