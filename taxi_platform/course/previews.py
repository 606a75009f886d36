"""Metadata of the products for Dagster's UI: short previews as tables, and a chart of the average prices."""

import base64
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.course.prices import COLUMNS, Average
from taxi_platform.course.products import Product, shown

if TYPE_CHECKING:
    import pandas as pd

MOST_BARS = 25  # brands that a chart of this size has room for
MOST_ROWS = 20  # of a table: a preview, not a copy
LONGEST_CELL = 80  # characters


def products_metadata(products: Sequence[Product], source: str, path: Path) -> dict[str, Any]:
    """Return how many products there are, where they came from, and where they are stored."""
    return {
        "products": len(products),
        "source": dg.MetadataValue.url(shown(source)) if "://" in source else shown(source),
        "path": dg.MetadataValue.path(path),
        "dagster/row_count": len(products),
    }


def kept_metadata(kept: "pd.DataFrame") -> dict[str, Any]:
    """Return the first rows of the kept columns."""
    return {
        "columns": ", ".join(kept.columns),
        "preview": dg.MetadataValue.md(table(list(kept.columns), kept.itertuples(index=False))),
        "dagster/row_count": len(kept),
    }


def averages_metadata(averages: Sequence[Average]) -> dict[str, Any]:
    """Return the highest averages as a table and as a chart."""
    encoded = base64.b64encode(chart(averages).encode()).decode()
    return {
        "brands": len(averages),
        "preview": dg.MetadataValue.md(table(list(COLUMNS), averages)),
        "chart": dg.MetadataValue.md(f"![Average price by brand](data:image/svg+xml;base64,{encoded})"),
        "dagster/row_count": len(averages),
    }


def chart(averages: Sequence[Average]) -> str:
    """Draw the highest averages as horizontal bars (SVG), in their order."""
    import altair

    rows = [{"brand": brand, "average price": price} for brand, price, *_ in averages if price is not None]
    more = f" (the highest {MOST_BARS} of {len(rows)})" if len(rows) > MOST_BARS else ""
    data = altair.Data(values=rows[:MOST_BARS])
    bars: Any = altair.Chart(data, title=f"Average price by brand{more}", width=640)
    bars = bars.mark_bar().encode(
        x=altair.X(field="average price", type="quantitative", title="average price"),
        y=altair.Y(field="brand", type="nominal", title=None, sort=None),
    )
    drawing = io.StringIO()
    bars.save(drawing, format="svg")
    return drawing.getvalue()


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return the first rows as a table in Markdown, and how many more there are."""
    from tabulate import tabulate

    cells = [[_cell(value) for value in row] for row in rows]
    text = tabulate(cells[:MOST_ROWS], [_cell(name) for name in columns], tablefmt="pipe", disable_numparse=True)
    more = len(cells) - MOST_ROWS
    return f"{text}\n\n… and {more:,} more" if more > 0 else text


def _cell(value: Any) -> str:
    """Return a value in one line, with nothing in it that would end the cell or become a tag."""
    text = "" if value is None or value != value else f"{value:,}" if isinstance(value, int | float) else str(value)
    return re.sub(r"[\\|<`]", r"\\\g<0>", shorten(text, LONGEST_CELL, placeholder=" …"))
