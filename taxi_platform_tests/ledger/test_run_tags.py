"""Labels: the tags of a run with its service, its files and what started it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.ledger.run_tags import lacking_labels, run_labels
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, SERVICES, YELLOW, Service

JANUARY, MARCH, DECEMBER = Month(2019, 1), Month(2019, 3), Month(2019, 12)
YEAR = list(JANUARY.through(DECEMBER))

spans = st.tuples(st.sampled_from(list(SERVICES.values())), st.integers(0, 30), st.integers(1, 12)).map(
    lambda drawn: (drawn[0], [JANUARY.plus(drawn[1] + number) for number in range(drawn[2])])
)


def labelled(tags: dict[str, str], *loads: tuple[Service, list[Month]]) -> dict[str, str]:
    """Return the tags of a run whose assets have started one after the other."""
    for service, months in loads:
        tags = {**tags, **lacking_labels(tags, service, months)}
    return tags


@pytest.mark.parametrize(
    ("months", "label"),
    [
        ([MARCH], "green_tripdata_2019-03.csv"),
        ([MARCH, MARCH], "green_tripdata_2019-03.csv"),
        ([JANUARY, DECEMBER], "green_tripdata_2019-01.csv...green_tripdata_2019-12.csv"),
    ],
)
def test_the_file_tag_names_the_file_or_the_first_and_last_of_a_range(months: list[Month], label: str) -> None:
    assert run_labels(GREEN, *months, trigger="manual")["file"] == label


def test_the_labels_of_a_requested_run_are_complete() -> None:
    assert run_labels(GREEN, MARCH, trigger="schedule:green_monthly_schedule") == {
        "taxi": "green",
        "file": "green_tripdata_2019-03.csv",
        "trigger": "schedule:green_monthly_schedule",
    }
    assert run_labels(FHV, JANUARY, MARCH, trigger="backfill", backfill=True) == {
        "taxi": "fhv",
        "file": "fhv_tripdata_2019-01.csv...fhv_tripdata_2019-03.csv",
        "trigger": "backfill",
        "backfill": "true",
    }


@pytest.mark.parametrize("trigger", ["manual", "backfill", "schedule:s", "sensor:s"])
@given(span=spans)
def test_nothing_is_added_to_complete_labels(trigger: str, span: tuple[Service, list[Month]]) -> None:
    service, months = span
    labels = run_labels(service, months[0], months[-1], trigger=trigger, backfill=len(months) > 1)
    assert lacking_labels(labels, service, months) == {}


def test_a_run_without_labels_gets_them_and_a_range_or_a_run_of_a_backfill_is_labelled_as_backfill() -> None:
    march = {"taxi": "green", "file": "green_tripdata_2019-03.csv", "trigger": "manual"}
    assert labelled({}, (GREEN, [MARCH])) == march
    year = {**march, "file": "green_tripdata_2019-01.csv...green_tripdata_2019-12.csv", "backfill": "true"}
    assert labelled({}, (GREEN, YEAR)) == year
    assert labelled({"dagster/backfill": "abcdefgh"}, (GREEN, [MARCH]))["backfill"] == "true"


@pytest.mark.parametrize(
    ("tags", "trigger"),
    [
        ({"dagster/backfill": "abcdefgh"}, "backfill"),
        ({"dagster/schedule_name": "nightly"}, "schedule:nightly"),
        ({"dagster/sensor_name": "default_automation_condition_sensor"}, "sensor:default_automation_condition_sensor"),
        ({"dagster/sensor_name": "automation", "dagster/backfill": "abcdefgh"}, "backfill"),
        ({"dagster/backfill": "abcdefgh", "trigger": "sensor:new_month_sensor"}, "sensor:new_month_sensor"),
    ],
)
def test_the_trigger_comes_from_dagsters_tags_unless_it_is_set(tags: dict[str, str], trigger: str) -> None:
    assert labelled(tags, (GREEN, [MARCH]))["trigger"] == trigger


def test_the_labels_of_a_run_name_all_of_its_services_in_any_order() -> None:
    expected = {"taxi": "green,yellow", "file": "green_tripdata_2019-03.csv,yellow_tripdata_2019-03.csv"}
    for order in ((GREEN, YELLOW), (YELLOW, GREEN)):
        labels = labelled({}, *((service, [MARCH]) for service in order))
        assert {name: labels[name] for name in expected} == expected


def test_a_run_of_a_backfill_gets_its_own_files_instead_of_the_whole_backfills() -> None:
    whole = run_labels(GREEN, JANUARY, DECEMBER, trigger="backfill", backfill=True)
    assert lacking_labels(whole, GREEN, [MARCH]) == {"file": "green_tripdata_2019-03.csv"}
