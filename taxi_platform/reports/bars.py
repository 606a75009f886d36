"""Bars, drawn by Altair: the same chart becomes a picture without a browser, or a page that works offline."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import altair

WIDTH = 640  # pixels


def bars(values: Sequence[tuple[str, float]], *, label: str, value: str, title: str) -> "altair.Chart":
    """One horizontal bar for each pair, in their order.

    Args:
        values: what each bar is called, and its length.
        label: what the names are.
        value: what the lengths are.
        title: the chart's.
    """
    import altair

    rows = [{label: name, value: length} for name, length in values]
    names = [name for name, _ in values]
    drawn = cast("Any", altair.Chart(altair.Data(values=rows), title=title, width=WIDTH)).mark_bar()
    return drawn.encode(
        x=altair.X(field=value, type="quantitative", title=value),
        y=altair.Y(field=label, type="nominal", title=None, sort=names),
    )
