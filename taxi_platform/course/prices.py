"""The average price of each brand, computed by DuckDB from the kept columns."""

from typing import TYPE_CHECKING

from taxi_platform.errors import BadRows, NotPublished, SchemaMismatch

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

KEPT = "products_kept"
AVERAGES = "average_price_by_brand"
COLUMNS = {
    "brand": ("varchar", "The brand; N/A for products that have none."),
    "average_price": ("double", "The average of its prices, rounded to two digits; null when no product has one."),
    "products": ("bigint", "How many products the brand has."),
    "without_price": ("bigint", "How many of them have no price (N/A), which do not count in the average."),
}

_COLUMNS_OF = """
select column_name from information_schema.columns where table_name = ? order by ordinal_position"""
_PRICED = """
create or replace temp view priced as
select cast(brand as varchar) as brand, cast(price as varchar) as spelled,
       try_cast(cast(price as varchar) as double) as price
from products_kept"""
_NO_PRICES = """
select brand, spelled from priced where spelled <> 'N/A' and (price is null or not isfinite(price)) limit 6"""
_STORE_AVERAGES = """
create or replace table average_price_by_brand as
select brand, round(avg(price), 2) as average_price, count(*) as products, count(*) - count(price) as without_price
from priced
group by brand
order by average_price desc nulls last, brand"""

Average = tuple[str, float | None, int, int]  # a row of the averages, as COLUMNS names its fields


def store_kept(connection: "DuckDBPyConnection", kept: "pd.DataFrame") -> None:
    """Replace the table of kept columns, whatever columns it had before."""
    connection.register("kept", kept)
    connection.execute("create or replace table products_kept as select * from kept")


def store_averages(connection: "DuckDBPyConnection") -> None:
    """Compute the averages and replace the table of averages.

    Raises:
        NotPublished: the products are not stored yet.
        SchemaMismatch: brand or price was not kept.
        BadRows: a price is neither a number nor missing; the averages of last time stay.
    """
    names = [name for (name,) in connection.execute(_COLUMNS_OF, [KEPT]).fetchall()]
    if not names:
        raise NotPublished(KEPT, "the table does not exist yet", f"Materialize {KEPT} first.")
    missing = {"brand", "price"} - {name.casefold() for name in names}
    if missing:
        what = f"it has no {' and no '.join(sorted(missing))}, only {', '.join(names)}"
        raise SchemaMismatch(KEPT, what, f"Materialize {KEPT} with brand and price among columns_to_keep.")
    connection.execute(_PRICED)
    bad = connection.execute(_NO_PRICES).fetchall()
    if bad:
        listed = ", ".join(f"{spelled[:40]!r} ({brand[:40]})" for brand, spelled in bad[:5])
        more = " and more" if len(bad) > 5 else ""
        raise BadRows(KEPT, f"these prices are not numbers: {listed}{more}", "Correct them where they come from.")
    connection.execute(_STORE_AVERAGES)


def averages(connection: "DuckDBPyConnection") -> list[Average]:
    """Return the stored averages, the highest first."""
    return connection.execute(f"select {', '.join(COLUMNS)} from {AVERAGES}").fetchall()  # noqa: S608 - our own names
