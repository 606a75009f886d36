"""The course's third flow: products from a web API, a JSON file or the sample beside this file, and columns of them.

Every function but ``read_products`` and ``probe`` is pure. A list that comes in pages is read whole or not at all.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from taxi_platform.errors import AccessDenied, DamagedFile, InvalidSetting, NotPublished
from taxi_platform.redaction import public
from taxi_platform.retries import ONCE
from taxi_platform.settings import PROJECT
from taxi_platform.sources.http import SHORT_TIMEOUTS
from taxi_platform.sources.web_api import LARGEST, Api

if TYPE_CHECKING:
    import pandas as pd

Product = dict[str, Any]
AskPage = Callable[[int], Any]
"""Return the answer with the products from a position on, as JSON."""

SAMPLE = "sample"
SAMPLE_FILE = Path(__file__).with_name("products_sample.json")
MISSING = "N/A"
PAGE = 100  # products of one request; a page is 130 kB
MOST = 10_000  # products in all; a longer list is not one to get started with
_ADVICE = "Check TAXI_PRODUCTS_URL and the connection, or set TAXI_PRODUCTS_URL=sample for the built-in products."
API = Api("products", advice=_ADVICE, missing=_ADVICE)


# Where products come from


def read_products(place: str) -> list[Product]:
    """Return all products of a ``TAXI_PRODUCTS_URL``.

    Raises:
        NotPublished: the file or the page does not exist.
        AccessDenied: the server or the file system refuses to hand it out.
        SourceUnreachable: the server does not answer.
        DamagedFile: it is not a complete list of products.
    """
    if "://" in place:
        return read_pages(lambda skip: API.ask(page_address(place, skip)))
    answer = API.parse(_content(SAMPLE_FILE if place == SAMPLE else PROJECT / Path(place).expanduser()), place)
    return read_pages(lambda skip: answer if not skip else _refuse_part(place, skip))


def probe(address: str) -> None:
    """Ask a web API for its first page with short timeouts.

    Raises:
        TaxiError: it does not answer, or not with products.
    """
    page_of(replace(API, retries=ONCE, timeouts=SHORT_TIMEOUTS).ask(page_address(address, 0)))


def shown(place: str) -> str:
    """Return the place as it may be shown: without credentials, the sample by its file's name."""
    return f"the sample ({SAMPLE_FILE.name})" if place == SAMPLE else public(place)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotPublished("products", f"there is no file {path}", _ADVICE) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise AccessDenied("products", f"{path} cannot be read ({reason})", _ADVICE) from None
    if len(content) > LARGEST:
        raise DamagedFile("products", f"{path} is larger than {LARGEST // 1024 // 1024} MiB", _ADVICE)
    return content


def _refuse_part(place: str, count: int) -> NoReturn:
    raise DamagedFile(
        "products",
        f"{place} has only the first {count} products: one page of several",
        "Save all of them in one file, as https://dummyjson.com/products?limit=0 returns them.",
    )


# Pages


@dataclass(frozen=True)
class Page:
    """One answer.

    Attributes:
        products: those on the page.
        total: how many there are in all; None where the answer is the whole list.
        skip: how many come before the page; None where the answer does not say.
    """

    products: Sequence[Product]
    total: int | None
    skip: int | None


def read_pages(ask: AskPage) -> list[Product]:
    """Return all products, each once, in the order of their pages.

    Raises:
        DamagedFile: an answer is not a page of products, or the pages do not make up one list.
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
    _refuse_repeated(products)
    return products


def page_of(answer: Any) -> Page:
    """Return the page in an answer: an object with ``products``, or a bare list of them.

    Raises:
        DamagedFile: it is neither, or a field that must be a count is not.
    """
    fields: dict[str, Any] = {"products": answer} if isinstance(answer, list) else answer
    if not isinstance(answer, list | dict) or not isinstance(fields.get("products"), list):
        _refuse("the answer has no list of products")
    entries = cast("list[Any]", fields["products"])
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            _refuse(f"entry {position} of a page is not a product: {repr(entry)[:60]}")
    if len(entries) > MOST:
        _refuse(f"there are more than {MOST:,} products")
    return Page(cast("list[Product]", entries), _count(fields, "total"), _count(fields, "skip"))


def page_address(address: str, skip: int) -> str:
    """Return the address of the page that begins after ``skip`` products; the rest of the query stays."""
    parts = urlsplit(address)
    query = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in ("limit", "skip")]
    return parts._replace(query=urlencode([*query, ("limit", PAGE), ("skip", skip)])).geturl()


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
        _refuse(f"{name} is not a count: {repr(value)[:60]}")
    return value


def _refuse_repeated(products: Sequence[Product]) -> None:
    seen: set[str] = set()
    for product in products:
        identity = repr(product["id"]) if "id" in product else ""
        if identity in seen:
            _refuse(f"product {identity[:60]} comes twice: the list changed while it was read, or was numbered wrongly")
        if identity:
            seen.add(identity)


def _refuse(problem: str) -> NoReturn:
    raise DamagedFile("products", problem, "Nothing of it was kept. Try again later, or set TAXI_PRODUCTS_URL=sample.")


# Columns


def keep(products: Sequence[Product], columns: Sequence[str]) -> "pd.DataFrame":
    """Return one row per product, with these columns; ``N/A`` where a product has none, or null.

    A column that contains only numbers is a column of numbers. Every other column is text, in which numbers are spelled
    as in JSON, and lists and objects are JSON.

    Raises:
        InvalidSetting: no product has such a column, or no column is named.
    """
    import pandas as pd

    names = list(dict.fromkeys(columns))
    _check_names(names, products)
    frame = pd.DataFrame({name: [_value(product, name) for product in products] for name in names})
    for name in names:
        if frame[name].dtype == object:
            frame[name] = frame[name].map(_text)
    return frame


def _check_names(names: Sequence[str], products: Sequence[Product]) -> None:
    known = list(dict.fromkeys(name for product in products for name in product))
    unknown = [name for name in names if name not in known]
    advice = f"The products have: {', '.join(known)[:1000]}."
    if not names:
        raise InvalidSetting("columns_to_keep", "no column is named", advice)
    if unknown:
        raise InvalidSetting("columns_to_keep", f"no product has {', '.join(unknown)[:200]}", advice)
    if len({name.casefold() for name in names}) < len(names):
        raise InvalidSetting("columns_to_keep", "two names differ only in case, which DuckDB ignores", advice)


def _value(product: Product, name: str) -> Any:
    value = product.get(name)
    return MISSING if value is None else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
