"""Columns side by side, in the order of time or of size: months, days, miles, dollars."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.reports.drawing import WIDTH
from taxi_platform.reports.palette import paint

if TYPE_CHECKING:
    import altair

HEIGHT = 150  # pixels, with what is below the axis
_MOST_CHARACTERS = 32  # below the axis, where a panel is no wider than a phone


def columns(
    values: Sequence[tuple[str, float | None]],
    *,
    colour: str,
    form: str = "~s",
    below: str | None = None,
    highest: float | None = None,
    named: Sequence[str] = (),
) -> "altair.Chart":
    """One column for each pair, in their order; a gap where there is no value.

    Args:
        values: what stands below each column, once each, and its height.
        colour: of all columns, by its name in the palette.
        form: how the heights are written beside the axis, as d3 spells formats.
        below: what the texts below the columns are, where they do not say so themselves.
        highest: where the axis ends; at the highest column, where nothing is said.
        named: the columns whose text is written; as many as there is room for, where nothing is said.
    """
    import altair

    scale = altair.Scale(domain=[0, highest]) if highest else altair.Scale(zero=True, nice=3)
    names = [name for name, _ in values]
    every = max(1, -(-len(names) // _most_labels(names)))
    rows = [{"name": name, "height": height} for name, height in values]
    drawn = cast("Any", altair.Chart(altair.Data(values=rows), width=WIDTH, height=HEIGHT))
    return drawn.mark_bar(color=paint(colour)).encode(
        x=altair.X(
            "name:O",
            sort=names,
            title=below,
            scale=altair.Scale(paddingInner=0.15, paddingOuter=0.05),
            axis=altair.Axis(labelAngle=0, labelPadding=8, grid=False, values=list(named) or names[::every]),
        ),
        y=altair.Y(
            "height:Q",
            title=None,
            scale=scale,
            axis=altair.Axis(labelExpr=f"format(datum.value, '{form}')", tickCount=3),
        ),
    )


def _most_labels(names: Sequence[str]) -> int:
    """How many of the texts there is room for beside each other."""
    return max(1, _MOST_CHARACTERS // max((len(name) for name in names), default=1))
