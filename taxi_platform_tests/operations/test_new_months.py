"""The new-month sensor's decisions: what it asks about, what it asks for, what it remembers."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.errors import AccessDenied, NotPublished, SourceUnreachable, TaxiError
from taxi_platform.operations.new_months.decision import LONGEST_REST, decide, in_words
from taxi_platform.operations.new_months.looking import Answers, ask
from taxi_platform.operations.new_months.memory import Look, Memory, recall
from taxi_platform.operations.new_months.new_months import (
    DAY,
    MOST_QUESTIONS,
    MOST_REQUESTS,
    Candidate,
    Held,
    Published,
    candidates,
    is_wanted,
    questions,
    run_key,
    token,
)
from taxi_platform.trips.files import SourceVersion
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import GREEN, SERVICES, YELLOW, Service

FIRST, LAST = Month(2019, 1), Month(2021, 7)
ALL = {service: list(FIRST.through(LAST)) for service in SERVICES.values()}
JULY = Candidate(GREEN, LAST, 0)
NOW = 1_800_000_000.0

versions = st.builds(
    SourceVersion,
    st.none() | st.sampled_from(['"a"', '"b"']),
    st.none() | st.sampled_from(["Mon", "Tue"]),
    st.none() | st.integers(1, 2),
)


def published(etag: str | None = '"v1"', size: int | None = 100, address: str = "https://host/july") -> Published:
    return Published(address, SourceVersion(etag, "Tue, 02 Apr 2019 10:00:00 GMT", size))


def as_held(found: Published, record: int = 7, *, landed: bool = False) -> Held:
    return Held(record, found.address, found.version, landed)


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
    assert not is_wanted(published(), as_held(published()), "")


@pytest.mark.parametrize(
    "other", [published('"v2"'), published(size=101), published(address="https://other/july"), published(None)]
)
def test_another_etag_size_or_address_is_another_file(other: Published) -> None:
    assert is_wanted(other, as_held(published()), "")


def test_a_size_that_one_side_does_not_tell_decides_nothing() -> None:
    assert not is_wanted(published(size=None), as_held(published()), "")
    assert not is_wanted(published(), as_held(published(size=None)), "")


def test_a_file_that_came_by_the_landing_folder_stays() -> None:
    assert not is_wanted(published('"v2"'), as_held(published(), landed=True), "")


@given(versions, st.none() | versions)
def test_nothing_is_asked_for_twice(now: SourceVersion, then: SourceVersion | None) -> None:
    found = Published("a", now)
    held = then and Held(1, "a", then)
    assert not is_wanted(found, held, token(found))


@given(versions, versions)
def test_versions_have_the_same_token_only_if_they_are_the_same(one: SourceVersion, other: SourceVersion) -> None:
    assert (token(Published("a", one)) == token(Published("a", other))) == (one == other)


def test_the_run_key_names_the_file_its_version_and_what_it_follows() -> None:
    assert run_key(JULY, published(), None) == f"green_tripdata_2021-07.csv@{token(published())} after 0"


def test_a_version_that_comes_back_after_another_has_a_run_key_of_its_own() -> None:
    first, second = published('"v1"'), published('"v2"')
    keys = [
        run_key(JULY, first, None),
        run_key(JULY, second, as_held(first, 3)),
        run_key(JULY, first, as_held(second, 5)),
    ]
    assert len(set(keys)) == 3


# What is asked


def test_the_newest_months_are_asked_about_in_every_look_and_the_oldest_once_a_week() -> None:
    months = candidates(ALL)
    seen = Memory({month.file_name: Look(at=NOW) for month in months})
    asked: dict[int, list[float]] = {0: [], 5: [], 30: []}
    for minute in range(0, 15 * 24 * 60, 10):
        now = NOW + 60 * minute
        due = questions(months, seen, now, busy=())
        seen = Memory({**seen.looks, **{month.file_name: Look(at=now) for month in due}})
        for month in due:
            if month.service is GREEN and month.place in asked:
                asked[month.place].append(now)
    assert len(asked[0]) == 15 * 24 * 6
    assert len(asked[5]) == 14
    assert len(asked[30]) == 2


def test_a_look_has_a_bounded_number_of_questions_and_a_few_looks_see_everything() -> None:
    months = candidates(ALL)
    memory, seen = Memory(), list[str]()
    looks = 0
    while len(set(seen)) < len(months):
        due = questions(months, memory, NOW + looks, busy=())
        assert len(due) <= MOST_QUESTIONS
        seen += [month.file_name for month in due]
        memory = Memory({**memory.looks, **{month.file_name: Look(at=NOW + looks) for month in due}})
        looks += 1
    assert looks == 4  # 93 months, of which nine are asked about every time


def test_a_first_look_begins_with_the_newest_months_of_all_services() -> None:
    due = questions(candidates(ALL), Memory(), NOW, busy=())
    assert {month.file_name for month in due[:3]} == {f"{name}_tripdata_2021-07.csv" for name in SERVICES}


def test_a_source_that_answers_at_once_is_asked_about_everything() -> None:
    months = candidates(ALL)
    memory = Memory({month.file_name: Look(at=NOW) for month in months})
    assert len(questions(months, memory, NOW, busy=(), most=None)) == 93


def test_a_month_that_is_being_loaded_is_left_alone() -> None:
    due = questions(candidates({GREEN: [LAST]}), Memory(), NOW, busy={"green_tripdata_2021-07.csv"})
    assert due == []


# How it is asked


def test_each_answer_is_what_the_source_said() -> None:
    def answer(address: str) -> SourceVersion:
        if "yellow" in address:
            raise NotPublished("f", "404")
        if "fhv" in address:
            raise AccessDenied("f", "403")
        return published().version

    answers = looked(Fake(answer), candidates({service: [LAST] for service in SERVICES.values()}))
    assert [month.service.name for month in answers.published] == ["green"]
    assert [month.service.name for month in answers.absent] == ["yellow"]
    assert [month.service.name for month in answers.refused] == ["fhv"]
    assert answers.count == 3
    assert answers.unreachable is None


def test_a_source_that_does_not_answer_is_not_asked_on() -> None:
    source = Fake(raising(SourceUnreachable("f", "503")))
    answers = looked(source, candidates(ALL))
    assert len(source.asked) <= 4
    assert answers.count == 0
    assert answers.unreachable


def test_a_look_ends_in_time_for_dagsters_patience() -> None:
    source = Fake(lambda _: published().version)
    clock = iter([0.0, 10.0, 30.0, 31.0])
    answers = ask(source, candidates(ALL), lambda: next(clock))  # pyright: ignore[reportArgumentType]
    assert answers.count == 8


# What follows


def found(months: Iterable[Candidate], etag: str = '"v1"') -> Answers:
    return Answers(published={month: published(etag, address=month.file_name) for month in months})


def test_what_is_wanted_is_asked_for_once_and_then_remembered() -> None:
    decision = decide(found([JULY]), {}, Memory(), NOW)
    assert [request.candidate for request in decision.requests] == [JULY]
    assert decide(found([JULY]), {}, decision.memory, NOW + 600).requests == []


def test_a_version_whose_run_failed_is_not_asked_for_again_and_the_next_is() -> None:
    memory = decide(found([JULY]), {}, Memory(), NOW).memory
    assert decide(found([JULY]), {}, memory, NOW + 600).requests == []
    assert len(decide(found([JULY], '"v2"'), {}, memory, NOW + 600).requests) == 1


def test_half_a_year_is_caught_up_in_bounded_steps_without_a_gap_and_nothing_twice() -> None:
    months = candidates({service: list(Month(2021, 2).through(LAST)) for service in SERVICES.values()})
    memory, asked = Memory(), list[str]()
    steps = 0
    while len(asked) < len(months):
        due = questions(months, memory, NOW + 600 * steps, busy=())
        decision = decide(found(due), {}, memory, NOW + 600 * steps)
        assert 0 < len(decision.requests) <= MOST_REQUESTS
        asked += [request.candidate.file_name for request in decision.requests]
        memory = decision.memory
        steps += 1
    assert sorted(asked) == sorted(month.file_name for month in months)
    assert steps == 2


def test_on_a_platform_that_is_loaded_a_first_look_asks_for_nothing() -> None:
    months = candidates(ALL)
    answers = found(months)
    held = {month.file_name: as_held(answers.published[month]) for month in months}
    decision = decide(answers, held, Memory(), NOW)
    assert (decision.requests, decision.postponed) == ([], 0)


def test_a_question_without_an_answer_is_asked_again_and_the_others_keep_their_place() -> None:
    other = Candidate(GREEN, Month(2019, 2), 29)
    answers = Answers(absent=[JULY], unreachable=SourceUnreachable("f", "timed out"))
    memory = decide(answers, {}, Memory({other.file_name: Look(NOW - 6 * DAY, "x")}), NOW).memory
    assert memory.look(JULY.file_name).at == NOW
    assert memory.look(other.file_name) == Look(NOW - 6 * DAY, "x")
    assert memory.rest_until == 0


@pytest.mark.parametrize(("asked", "granted"), [(900.0, 900.0), (10 * DAY, LONGEST_REST)])
def test_a_server_that_wants_to_be_left_alone_is_as_long_as_is_sensible(asked: float, granted: float) -> None:
    error = SourceUnreachable("f", "429")
    error.retry_after = asked
    assert decide(Answers(unreachable=error), {}, Memory(), NOW).memory.rest_until == NOW + granted


def test_a_look_is_told_in_words() -> None:
    answers = found([JULY])
    answers.absent = [Candidate(YELLOW, LAST, 0)]
    answers.refused = {Candidate(GREEN, FIRST, 30): AccessDenied("green_tripdata_2019-01.csv.gz", "answers 403")}
    decision = decide(answers, {}, Memory(), NOW)
    assert in_words(answers, decision, 93) == (
        "Asked about 3 of 93 months: 1 not published, 1 to load (green_tripdata_2021-07.csv). "
        "1 were refused: green_tripdata_2019-01.csv.gz: answers 403."
    )


# What is remembered


@given(
    st.builds(
        Memory,
        st.dictionaries(st.text(), st.builds(Look, st.floats(0, 1e11), st.text())),
        st.floats(0, 1e11),
    )
)
def test_a_memory_is_recalled_from_its_cursor(memory: Memory) -> None:
    assert recall(memory.cursor()) == memory


@pytest.mark.parametrize("cursor", [None, ""])
def test_without_a_cursor_nothing_is_remembered(cursor: str | None) -> None:
    assert recall(cursor) == Memory()


@pytest.mark.parametrize(
    "cursor",
    ["2021-07", "{}", "[]", "null", '{"version": 0, "looks": {}}', '{"version": 99}', '{"version":1,"rest_unt',
     '{"version": 1, "rest_until": 0, "looks": []}', '{"version": 1, "rest_until": 0, "looks": {"a": 3}}'],
)  # fmt: skip
def test_a_cursor_that_is_old_or_broken_is_known_for_one(cursor: str) -> None:
    assert recall(cursor) is None


@given(st.text() | st.recursive(st.none() | st.integers(), lambda inner: st.lists(inner)).map(str))
def test_no_cursor_stops_the_sensor(cursor: str) -> None:
    recall(cursor)
