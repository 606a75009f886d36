"""Reading a list that comes in pages, whole or not at all. Pure: how a page is asked for is the caller's business."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from taxi_platform.errors import DamagedFile

Product = dict[str, Any]
Ask = Callable[[int], Any]
"""The answer that holds the products from a position on, as JSON."""

PAGE = 100  # products asked for at once; a page is 130 kB
MOST = 10_000  # products in all: beyond that this is no list to get started with


@dataclass(frozen=True)
class Page:
    """One answer.

    Attributes:
        products: those on the page.
        total: how many there are in all; none where the answer is all there is.
        skip: how many come before the page, where the answer says so.
    """

    products: Sequence[Product]
    total: int | None
    skip: int | None


def read_pages(ask: Ask) -> list[Product]:
    """All products, each once, in the order of their pages.

    Raises:
        DamagedFile: a page is none, or the pages do not make up one list; the message says how.
    """
    products: list[Product] = []
    page = page_of(ask(0))
    if page.total is None:
        products.extend(page.products)
    else:
        total = page.total
        _add(products, page, total)
        while len(products) < total:
            _add(products, page_of(ask(len(products))), total)
    if not products:
        _refuse("the list is empty")
    _refuse_twice(products)
    return products


def page_of(answer: Any) -> Page:
    """What an answer says: an object with ``products``, or a bare list of them.

    Raises:
        DamagedFile: it is neither, or a number in it is none.
    """
    fields: dict[str, Any] = {"products": answer} if isinstance(answer, list) else answer
    if not isinstance(answer, list | dict) or not isinstance(fields.get("products"), list):
        _refuse("the answer has no list of products")
    found = cast("list[Any]", fields["products"])
    for position, product in enumerate(found):
        if not isinstance(product, dict):
            _refuse(f"entry {position} of a page is no product: {repr(product)[:60]}")
    if len(found) > MOST:
        _refuse(f"there are more than {MOST:,} products")
    return Page(cast("list[Product]", found), _count(fields, "total"), _count(fields, "skip"))


def page_address(address: str, skip: int) -> str:
    """The address of the page that begins after ``skip`` products; what else the query says stays."""
    parts = urlsplit(address)
    kept = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in ("limit", "skip")]
    return parts._replace(query=urlencode([*kept, ("limit", PAGE), ("skip", skip)])).geturl()


def _add(products: list[Product], page: Page, total: int) -> None:
    have = len(products)
    if page.total != total:
        _refuse(f"there were {total:,} products, and then {page.total or 0:,}: the list changed while it was read")
    if total > MOST:
        _refuse(f"there are {total:,} products, more than {MOST:,}")
    if page.skip not in (None, have):
        _refuse(f"asked for the products after the first {have}, the server sent those after the first {page.skip}")
    if not page.products and total:
        _refuse(f"the list ends after {have:,} of {total:,} products")
    if have + len(page.products) > total:
        _refuse(f"there are more products than the {total:,} that the server counts")
    products.extend(page.products)


def _count(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        _refuse(f"{name} is no count: {repr(value)[:60]}")
    return value


def _refuse_twice(products: Sequence[Product]) -> None:
    seen: set[str] = set()
    for product in products:
        known = repr(product["id"]) if "id" in product else ""
        if known in seen:
            _refuse(f"product {known[:60]} comes twice: the list changed while it was read, or was numbered wrongly")
        if known:
            seen.add(known)


def _refuse(what: str) -> NoReturn:
    raise DamagedFile("products", what, "Nothing was kept of it. Try again later, or set TAXI_PRODUCTS_URL=sample.")
