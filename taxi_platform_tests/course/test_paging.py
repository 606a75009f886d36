"""A list that comes in pages: read whole, or refused with the reason."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.course.products import MOST, PAGE, Product, page_address, read_pages
from taxi_platform.errors import DamagedFile

ADDRESS = "https://dummyjson.com/products"


def catalogue(count: int) -> list[Product]:
    return [{"id": number, "title": f"thing {number}"} for number in range(count)]


def server(products: list[Product], size: int = PAGE, **changed: Any) -> Callable[[int], Any]:
    """Return a function that answers with pages of these products; ``changed`` replaces fields of the answers."""

    def ask(skip: int) -> Any:
        page = products[skip : skip + size]
        return {"products": page, "total": len(products), "skip": skip, "limit": size, **changed}

    return ask


@given(st.integers(1, 400), st.integers(1, 150))
def test_all_products_arrive_once_and_in_order_for_any_page_size(count: int, size: int) -> None:
    asked: list[int] = []
    ask = server(catalogue(count), size)
    assert read_pages(lambda skip: asked.append(skip) or ask(skip)) == catalogue(count)
    assert asked == list(range(0, count, size))


@pytest.mark.parametrize(
    "answer", [catalogue(3), {"products": catalogue(3)}, {"products": catalogue(3), "total": None}]
)
def test_a_list_without_a_total_is_complete(answer: Any) -> None:
    asked: list[int] = []
    assert read_pages(lambda skip: asked.append(skip) or answer) == catalogue(3)
    assert asked == [0]


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (lambda _: [], "the list is empty"),
        (lambda _: {"products": [], "total": 0}, "the list is empty"),
        (lambda _: None, "no list of products"),
        (lambda _: {"message": "not found"}, "no list of products"),
        (lambda _: {"products": {"0": {}}}, "no list of products"),
        (lambda _: [{"id": 1}, None], "no list of products"),
        (server(catalogue(3), total="3"), "total is not a count: '3'"),
        (server(catalogue(3), total=-1), "total is not a count: -1"),
        (server(catalogue(3), total=5), "after 3 of 5 products come 0 more"),
        (server(catalogue(3), total=2), "the list has 3 products, and the server counts 2"),
        (server(catalogue(9), size=4, total=10**9), "more than 10,000 products"),
        (lambda _: catalogue(MOST + 1), "more than 10,000 products"),
        (lambda skip: server(catalogue(9 if skip else 8), size=5)(skip), "of 8 products come . more of 9"),
        (lambda skip: catalogue(4) if skip else server(catalogue(8), 4)(0), "of 8 products come 4 more of None"),
    ],
)
def test_pages_that_are_not_one_list_are_refused_with_the_reason(ask: Callable[[int], Any], problem: str) -> None:
    with pytest.raises(DamagedFile, match=f"^products: .*{problem}"):
        read_pages(ask)


@pytest.mark.parametrize(
    ("address", "page"),
    [
        (ADDRESS, f"{ADDRESS}?limit=100&skip=200"),
        (f"{ADDRESS}?limit=10&skip=5&select=brand,price", f"{ADDRESS}?select=brand%2Cprice&limit=100&skip=200"),
        ("http://ann:pw@host:8080/p?empty=", "http://ann:pw@host:8080/p?empty=&limit=100&skip=200"),
    ],
)
def test_only_limit_and_skip_differ_in_the_address_of_a_page(address: str, page: str) -> None:
    assert page_address(address, 200) == page
