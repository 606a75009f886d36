"""Locations, as Google spells them."""

import pytest

from taxi_platform.bigquery.places import same_location


@pytest.mark.parametrize(("one", "other"), [("EU", "eu"), ("EUROPE-WEST2", "europe-west2"), ("US", "US")])
def test_the_same_place_in_another_spelling(one: str, other: str) -> None:
    assert same_location(one, other)


@pytest.mark.parametrize(("one", "other"), [("EU", "europe-west2"), ("US", "us-east1"), ("us-east1", "us-east4")])
def test_a_region_is_neither_its_multi_region_nor_its_neighbour(one: str, other: str) -> None:
    assert not same_location(one, other)
