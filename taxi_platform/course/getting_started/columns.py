"""The columns of the products that one wants to keep, as a table in which nothing is missing. Pure."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taxi_platform.course.getting_started.paging import Product
from taxi_platform.errors import InvalidSetting

if TYPE_CHECKING:
    import pandas as pd

MISSING = "N/A"


def keep(products: Sequence[Product], columns: Sequence[str]) -> "pd.DataFrame":
    """One row a product, with these columns; ``N/A`` where a product has none, or null.

    A column that holds nothing but numbers is one of numbers; every other is text, in which numbers are spelled as in
    JSON, and lists and objects are JSON.

    Raises:
        InvalidSetting: no product has such a column, or none is named.
    """
    import pandas as pd

    names = list(dict.fromkeys(columns))
    _check(names, products)
    frame = pd.DataFrame({name: [_value(product, name) for product in products] for name in names})
    for name in names:
        if frame[name].dtype == object:
            frame[name] = frame[name].map(_text)
    return frame


def _check(names: Sequence[str], products: Sequence[Product]) -> None:
    known = list(dict.fromkeys(name for product in products for name in product))
    unknown = [name for name in names if name not in known]
    there_are = f"The products have: {', '.join(known)[:1000]}."
    if not names:
        raise InvalidSetting("columns_to_keep", "no column is named", there_are)
    if unknown:
        raise InvalidSetting("columns_to_keep", f"no product has {', '.join(unknown)[:200]}", there_are)
    if len({name.casefold() for name in names}) < len(names):
        raise InvalidSetting("columns_to_keep", "two names differ only in case, which DuckDB does not tell", there_are)


def _value(product: Product, name: str) -> Any:
    value = product.get(name)
    return MISSING if value is None else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
