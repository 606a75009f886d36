"""The average price of each brand, as DuckDB computes it."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from taxi_platform.course.prices import averages, store_averages, store_kept
from taxi_platform.course.products import keep
from taxi_platform.errors import BadRows, SchemaMismatch

THINGS: list[dict[str, Any]] = [
    {"brand": "Long Haul", "price": 10},
    {"brand": "Long Haul", "price": 10.02},
    {"brand": "Long Haul"},
    {"price": 99.999},
    {"brand": "Unpriced", "price": None},
]
AVERAGES = [("N/A", 100.0, 1, 0), ("Long Haul", 10.01, 3, 1), ("Unpriced", None, 1, 1)]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def average(
    connection: duckdb.DuckDBPyConnection, products: list[dict[str, Any]], *columns: str
) -> list[tuple[Any, ...]]:
    store_kept(connection, keep(products, columns or ("brand", "price")))
    store_averages(connection)
    return averages(connection)


def test_the_highest_comes_first_and_products_without_a_price_do_not_count(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert average(connection, THINGS) == AVERAGES
    assert average(connection, [{"brand": "A", "price": 1}, {"brand": "B", "price": 2}]) == [
        ("B", 2, 1, 0),
        ("A", 1, 1, 0),
    ]


def test_averages_are_rounded_to_two_digits(connection: duckdb.DuckDBPyConnection) -> None:
    thirds = [{"brand": "A", "price": price} for price in (1, 1, 2)]
    assert average(connection, thirds) == [("A", 1.33, 3, 0)]


def test_prices_given_as_text_are_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    spelled = [{"brand": "A", "price": "12.50"}, {"brand": "A", "price": 12}, {"brand": 7, "price": -1}]
    assert average(connection, spelled) == [("A", 12.25, 2, 0), ("7", -1.0, 1, 0)]


def test_the_columns_may_be_in_upper_case(connection: duckdb.DuckDBPyConnection) -> None:
    assert average(connection, [{"Brand": "A", "PRICE": 2}], "Brand", "PRICE") == [("A", 2.0, 1, 0)]


@pytest.mark.parametrize("price", ["cheap", True, [9.99], "inf", float("inf"), ""])
def test_a_price_that_is_not_a_number_is_named_and_the_old_averages_stay(
    connection: duckdb.DuckDBPyConnection, price: object
) -> None:
    average(connection, THINGS)
    with pytest.raises(BadRows, match=r"^products_kept: these prices are not numbers: .* \(Odd\)\. Correct them"):
        average(connection, [*THINGS, {"brand": "Odd", "price": price}])
    assert averages(connection) == AVERAGES


@pytest.mark.parametrize("prices", [[True, False], [float("inf"), 1e308]])
def test_a_column_of_booleans_or_infinities_is_refused(
    connection: duckdb.DuckDBPyConnection, prices: list[object]
) -> None:
    with pytest.raises(BadRows, match="these prices are not numbers"):
        average(connection, [{"brand": "Odd", "price": price} for price in prices])


def test_only_some_of_many_wrong_prices_are_named(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(BadRows) as raised:
        average(connection, [{"brand": "b" * 1000, "price": "p" * 1000}] * 500)
    assert " and more. " in str(raised.value)
    assert len(str(raised.value)) < 700


def test_without_brand_or_price_the_kept_columns_are_named(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(SchemaMismatch, match="it has no brand and no price, only title"):
        average(connection, [{"title": "a"}], "title")
