"""Months: how they are parsed and printed, their arithmetic, and their ranges."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.trips.months import Month, ranges, spans

months = st.builds(Month, st.integers(1, 9999), st.integers(1, 12))
near = st.builds(Month, st.integers(1900, 2100), st.integers(1, 12))
steps = st.integers(-1200, 1200)


@given(months)
def test_a_month_is_parsed_from_its_text(month: Month) -> None:
    assert Month.parse(str(month)) == month


def test_a_month_prints_as_its_partition_key() -> None:
    assert [str(Month(2019, 3)), str(Month(33, 12))] == ["2019-03", "0033-12"]


@pytest.mark.parametrize(
    "text", ["", "2019", "2019-3", "19-03", "2019-03-01", " 2019-03", "2019-03\n", "2019/03", "٢٠١٩-٠٣", "march"]
)
def test_a_text_that_is_not_a_month_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a month: write YYYY-MM, e\.g\. 2019-03"):
        Month.parse(text)


@pytest.mark.parametrize("text", ["2019-00", "2019-13", "0000-01"])
def test_a_month_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"there is no month {text}"):
        Month.parse(text)


@given(near, steps)
def test_going_forward_and_back_ends_at_the_same_month(month: Month, step: int) -> None:
    assert month.plus(step).plus(-step) == month


def test_december_is_followed_by_january() -> None:
    assert Month(2019, 12).plus(1) == Month(2020, 1)
    assert Month(2020, 1).plus(-1) == Month(2019, 12)
    assert Month(2019, 3).plus(12) == Month(2020, 3)


@given(near, st.integers(0, 300))
def test_a_range_holds_both_ends_and_every_month_between_once(first: Month, length: int) -> None:
    last = first.plus(length)
    found = list(first.through(last))
    assert (found[0], found[-1], len(found)) == (first, last, length + 1)
    assert found == sorted(set(found))


@given(st.sets(st.integers(0, 60).map(Month(2019, 1).plus)))
def test_ranges_hold_exactly_the_months_and_do_not_touch(months: set[Month]) -> None:
    found = ranges(months)
    assert [month for first, last in found for month in first.through(last)] == sorted(months)
    assert all(before[1].plus(1) < after[0] for before, after in pairwise(found))


def test_months_are_spelled_as_ranges() -> None:
    assert spans([Month(2019, 6), Month(2019, 2), Month(2019, 1), Month(2019, 3)]) == "2019-01..2019-03, 2019-06"
    assert spans([]) == ""
