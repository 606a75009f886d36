"""Bars below each other, each with its name above it and its figure at the end of the line: long names have room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from taxi_platform.reports.drawing import WIDTH
from taxi_platform.reports.palette import paint

_LINE_HEIGHT = 30  # pixels of a bar with its name
_FIGURE_WIDTH = 110  # pixels that a name leaves free


@dataclass(frozen=True)
class Line:
    """One bar.

    Attributes:
        name: what it is.
        length: how long, in proportion to the others.
        figure: what that is in numbers.
    """

    name: str
    length: float
    figure: str


def ranking(lines: Sequence[Line], *, colour: str, full: float | None = None) -> Any:
    """The bars in their order.

    Args:
        lines: their names need not differ.
        colour: of the bars, by its name in the palette.
        full: the length of a bar that is as wide as the panel; the longest one's, where nothing is said.
    """
    import altair

    rows = [{"place": number, **vars(line)} for number, line in enumerate(lines)]
    longest = full or max((line.length for line in lines), default=0) or 1
    base = cast("Any", altair.Chart(altair.Data(values=rows), width=WIDTH, height=_LINE_HEIGHT * max(len(rows), 1)))
    base = base.encode(y=altair.Y("place:O", axis=None, scale=altair.Scale(padding=0)))
    bar = base.mark_bar(height=8, yOffset=6, color=paint(colour)).encode(
        x=altair.X("length:Q", axis=None, scale=altair.Scale(domain=[0, longest], nice=False))
    )
    written = {"fontSize": 12.5, "yOffset": -7, "color": paint("ink"), "baseline": "middle"}
    name = base.mark_text(align="left", limit=WIDTH - _FIGURE_WIDTH, **written).encode(x=altair.value(0), text="name:N")
    figure = base.mark_text(align="right", **written).encode(x=altair.value(WIDTH), text="figure:N")
    return altair.layer(bar, name, figure)
