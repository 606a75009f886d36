"""What Dagster's UI shows of the products: previews, bounded, and a chart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from taxi_platform.course.getting_started.paging import Product
from taxi_platform.course.getting_started.prices import COLUMNS, Average
from taxi_platform.course.getting_started.source import shown
from taxi_platform.reports import markdown
from taxi_platform.reports.bars import bars
from taxi_platform.reports.drawing import svg

if TYPE_CHECKING:
    import pandas as pd

BARS = 25  # brands that a chart of this size has room for


def products_metadata(products: Sequence[Product], source: str, path: str) -> dict[str, Any]:
    """How many there are, where they came from, and where they are kept."""
    return {
        "products": len(products),
        "source": dg.MetadataValue.url(shown(source)) if "://" in source else shown(source),
        "path": dg.MetadataValue.path(path),
        "dagster/row_count": len(products),
    }


def kept_metadata(kept: "pd.DataFrame") -> dict[str, Any]:
    """The first rows of the kept columns."""
    return {
        "columns": ", ".join(kept.columns),
        "preview": dg.MetadataValue.md(markdown.table(list(kept.columns), kept.itertuples(index=False))),
        "dagster/row_count": len(kept),
    }


def averages_metadata(averages: Sequence[Average]) -> dict[str, Any]:
    """The highest averages as a table and as a chart."""
    return {
        "brands": len(averages),
        "preview": dg.MetadataValue.md(markdown.table(list(COLUMNS), averages)),
        "chart": dg.MetadataValue.md(markdown.picture(chart(averages), "Average price by brand")),
        "dagster/row_count": len(averages),
    }


def chart(averages: Sequence[Average]) -> str:
    """The highest averages as a picture (SVG)."""
    values = [(brand, price) for brand, price, *_ in averages if price is not None]
    title = "Average price by brand" + (f" (the highest {BARS} of {len(values)})" if len(values) > BARS else "")
    return svg(bars(values[:BARS], label="brand", value="average price", title=title))


def averages_schema() -> dg.TableSchema:
    """The columns of the table of averages."""
    return dg.TableSchema([dg.TableColumn(name, kind, description=text) for name, (kind, text) in COLUMNS.items()])
