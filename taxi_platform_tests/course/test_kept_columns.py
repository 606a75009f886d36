"""The kept columns of the products: missing values, types, order, wrong names."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_platform.course.products import keep
from taxi_platform.errors import InvalidSetting

TEXTS = st.text(max_size=20)
VALUES = st.one_of(st.none(), TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
THINGS = [
    {"id": 1, "brand": "Long Haul", "price": 189, "tags": ["travel"], "size": {"width": 4}},
    {"id": 2, "price": 9.99, "tags": []},
    {"id": 3, "brand": None, "stock": True},
]


def rows(columns: list[str], products: list[dict[str, Any]] | None = None) -> list[tuple[Any, ...]]:
    return list(keep(products or THINGS, columns).itertuples(index=False, name=None))


def test_missing_and_null_values_become_na_and_others_keep_their_spelling() -> None:
    assert rows(["brand", "price"]) == [("Long Haul", "189"), ("N/A", "9.99"), ("N/A", "N/A")]


def test_a_column_of_numbers_stays_a_column_of_numbers() -> None:
    kept = keep(THINGS[:2], ["id", "price"])
    assert [str(kind) for kind in kept.dtypes] == ["int64", "float64"]


def test_lists_and_objects_become_json() -> None:
    assert rows(["tags", "size"]) == [('["travel"]', '{"width": 4}'), ("[]", "N/A"), ("N/A", "N/A")]


def test_columns_keep_the_given_order_without_repetition() -> None:
    assert list(keep(THINGS, ["price", "id", "price"]).columns) == ["price", "id"]


def test_numbers_too_large_for_a_database_become_text() -> None:
    assert rows(["id"], [{"id": 10**30}, {"id": 1}]) == [(str(10**30),), ("1",)]
    assert rows(["id"], [{"id": 2**53 + 1}, {"id": 0.5}]) == [(str(2**53 + 1),), ("0.5",)]


@settings(deadline=None)  # the first example waits for pandas to be imported
@given(st.lists(st.fixed_dictionaries({"a": VALUES}, optional={"b": VALUES}), min_size=1, max_size=9))
def test_every_product_has_its_row_and_no_cell_is_empty(products: list[dict[str, Any]]) -> None:
    kept = keep(products, ["a"])
    assert len(kept) == len(products)
    assert not kept.isna().any().any()
    for product, value in zip(products, kept["a"], strict=True):
        wanted = "N/A" if product["a"] is None else product["a"]
        assert value == wanted or value == json.dumps(wanted, ensure_ascii=False)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (["colour", "price"], "no product has colour"),
        (["colour", "wheels"], "no product has colour, wheels"),
        (["Brand"], "no product has Brand"),
        ([""], "no product has "),
        ([], "no column is named"),
    ],
)
def test_unknown_columns_are_named_with_the_existing_ones(columns: list[str], problem: str) -> None:
    with pytest.raises(InvalidSetting, match=problem) as raised:
        keep(THINGS, columns)
    assert "The products have: id, brand, price, tags, size, stock." in str(raised.value)
