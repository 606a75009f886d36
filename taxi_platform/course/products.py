"""The course's third flow: products from a web API, a JSON file or the sample beside this file, and columns of them.

Every function but ``read_products`` and ``probe`` is pure. A list that comes in pages is read whole or not at all.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from taxi_platform.errors import AccessDenied, DamagedFile, InvalidSetting, NotPublished
from taxi_platform.redaction import public
from taxi_platform.retries import ONCE
from taxi_platform.settings import path_of
from taxi_platform.sources.http import SHORT_TIMEOUTS
from taxi_platform.sources.web_api import Api

if TYPE_CHECKING:
    import pandas as pd

Product = dict[str, Any]
AskPage = Callable[[int], Any]  # returns the answer with the products from a position on, as JSON
SAMPLE = "sample"
SAMPLE_FILE = Path(__file__).with_name("products_sample.json")
MISSING = "N/A"
PAGE = 100  # products of one request; a page is 130 kB
MOST = 10_000  # products in all; a longer list is not one to get started with

_ADVICE = "Check TAXI_PRODUCTS_URL and the connection, or set TAXI_PRODUCTS_URL=sample for the built-in products."
API = Api("products", advice=_ADVICE, missing=_ADVICE)


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
    path = SAMPLE_FILE if place == SAMPLE else path_of(place)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotPublished("products", f"{path} does not exist", _ADVICE) from None
    except (OSError, ValueError) as error:
        raise AccessDenied("products", f"{path} cannot be read ({error})", _ADVICE) from None
    answer = API.parse(content, place)
    return read_pages(lambda skip: [] if skip else answer)


def probe(address: str) -> None:
    """Ask a web API for its first page with short timeouts; raise an error if it does not answer with products."""
    page_of(replace(API, retries=ONCE, timeouts=SHORT_TIMEOUTS).ask(page_address(address, 0)))


def shown(place: str) -> str:
    """Return the place as it may be shown: without credentials, the sample by its file's name."""
    return f"the sample ({SAMPLE_FILE.name})" if place == SAMPLE else public(place)


def read_pages(ask: AskPage) -> list[Product]:
    """Return all products in the order of their pages.

    Raises:
        DamagedFile: an answer is not a page of products, or the pages do not make up one list.
    """
    products, total = page_of(ask(0))
    if not products:
        _refuse("the list is empty")
    while total is not None and len(products) < total:
        more, now = page_of(ask(len(products)))
        if not more or now != total:
            _refuse(f"after {len(products):,} of {total:,} products come {len(more)} more of {now}")
        products += more
    if total not in (None, len(products)):
        _refuse(f"the list has {len(products):,} products, and the server counts {total}")
    return products


def page_of(answer: Any) -> tuple[list[Product], int | None]:
    """Return the products of an answer, a list or an object with ``products``, and how many there are in all if known.

    Raises:
        DamagedFile: it is neither, or the list is too long.
    """
    fields = cast("dict[str, Any]", answer if isinstance(answer, dict) else {"products": answer})
    products, total = fields.get("products"), fields.get("total")
    if not isinstance(products, list) or not all(isinstance(each, dict) for each in cast("list[Any]", products)):
        _refuse("the answer has no list of products")
    if not (total is None or (isinstance(total, int) and total >= 0)):
        _refuse(f"total is not a count: {repr(total)[:60]}")
    listed = cast("list[Product]", products)
    if max(len(listed), total or 0) > MOST:
        _refuse(f"there are more than {MOST:,} products")
    return listed, total


def page_address(address: str, skip: int) -> str:
    """Return the address of the page that begins after ``skip`` products; the rest of the query stays."""
    parts = urlsplit(address)
    query = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in ("limit", "skip")]
    return parts._replace(query=urlencode([*query, ("limit", PAGE), ("skip", skip)])).geturl()


def _refuse(problem: str) -> NoReturn:
    raise DamagedFile("products", problem, "Nothing of it was kept. Try again later, or set TAXI_PRODUCTS_URL=sample.")


def keep(products: Sequence[Product], columns: Sequence[str]) -> "pd.DataFrame":
    """Return one row per product, with these columns; ``N/A`` where a product has none, or null.

    A column of numbers stays one, if that changes none of them. Every other column is text, in which numbers are
    spelled as in JSON, and lists and objects are JSON.

    Raises:
        InvalidSetting: no product has such a column, or no column is named.
    """
    import pandas as pd

    names = list(dict.fromkeys(columns))
    known = list(dict.fromkeys(name for product in products for name in product))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        problem = f"no product has {', '.join(unknown)[:200]}" if unknown else "no column is named"
        raise InvalidSetting("columns_to_keep", problem, f"The products have: {', '.join(known)[:1000]}.")
    kept: dict[str, pd.Series[Any]] = {}
    for name in names:
        values = [MISSING if product.get(name) is None else product[name] for product in products]
        kept[name] = pd.Series(values)
        if kept[name].dtype == object or kept[name].tolist() != values:  # a float cannot hold every whole number
            spelled = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in values]
            kept[name] = pd.Series(spelled)
    return pd.DataFrame(kept)
