"""The partitions of a service: the months of the settings or the contract that can have been published."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from taxi_platform.errors import InvalidSetting
from taxi_platform.settings import Settings
from taxi_platform.trips import partitions
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import month_range, partition_months
from taxi_platform.trips.services import GREEN

OLDER = replace(GREEN, name="older", first_month=Month(2009, 1))


NOW = datetime(2021, 9, 1, tzinfo=timezone.utc)


def months(*services, **values: str) -> tuple[Month, Month]:
    return month_range(Settings.model_construct(**values), *services, now=NOW)  # pyright: ignore[reportArgumentType]


def test_without_settings_the_months_are_those_that_can_have_been_published() -> None:
    assert months(GREEN) == (Month(2019, 1), Month(2021, 7))


def test_the_first_or_the_last_month_may_be_set_alone() -> None:
    assert months(GREEN, last_month="2019-01") == (Month(2019, 1), Month(2019, 1))
    assert months(OLDER, first_month="2020-02") == (Month(2020, 2), Month(2021, 7))


def test_several_services_together_have_the_months_of_each() -> None:
    assert months(GREEN, OLDER) == (Month(2009, 1), Month(2021, 7))


def test_the_first_month_may_not_lie_after_the_last() -> None:
    with pytest.raises(InvalidSetting, match="TAXI_FIRST_MONTH=2020-02, TAXI_LAST_MONTH=2020-01: the first month lies"):
        months(GREEN, first_month="2020-02", last_month="2020-01")


def test_a_month_is_a_partition_when_it_can_have_been_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "settings", Settings.model_construct)

    def last(*now: int) -> Month:
        return partition_months(GREEN, datetime(*now, tzinfo=timezone.utc))[-1]  # pyright: ignore[reportArgumentType]

    assert last(2019, 4, 30, 23, 59, 59) == Month(2019, 2)
    assert last(2019, 5, 1) == Month(2019, 3)
    assert last(2030, 1, 1) == Month(2029, 11)
    with_end = partition_months(replace(GREEN, last_month=Month(2019, 2)), NOW)
    assert with_end == [Month(2019, 1), Month(2019, 2)]
