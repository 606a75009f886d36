"""Charts made into pictures: SVG for pages, PNG for Dagster's UI. No browser and no network is needed."""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from xml.sax.saxutils import escape

from taxi_platform.reports.packing import packed
from taxi_platform.reports.palette import FONT, for_light, paint

if TYPE_CHECKING:
    import altair

WIDTH = 340  # pixels of a panel: a phone's, less margins, so that no text is ever drawn smaller than it is meant
_GAP, _HEADING = 24, 44  # pixels of a picture: around its panels, and above them for their titles
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")  # a place; the texts of a drawing have two digits at most
_SIZE = re.compile(r' width="([\d.]+)" height="([\d.]+)"')


def svg(chart: "altair.TopLevelMixin") -> str:
    """The chart as a picture that stays sharp and is a fifth of a PNG's size."""
    picture = io.StringIO()
    cast("Any", chart).save(picture, format="svg")
    return picture.getvalue()


def panel(chart: Any) -> str:
    """The chart as a picture (SVG) of the width of a panel, in colours that the page decides."""
    import altair

    # The axes are within the width, too, so that all charts are drawn to the same scale.
    fitting = chart.properties(autosize=altair.AutoSizeParams(type="fit", contains="padding"), padding=0)
    return _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.1f}", svg(_styled(fitting)))


def as_wide_as_the_page(drawn: str) -> str:
    """The picture of a panel without a size of its own."""
    return _SIZE.sub("", drawn, count=1)


def png(title: str, panels: Sequence[tuple[str, str]]) -> bytes:
    """Panels side by side under a title, on a light ground.

    Args:
        title: of all.
        panels: each with its own title and its picture.
    """
    import vl_convert

    height = max((_size(drawn)[1] for _, drawn in panels), default=0) + _HEADING + _GAP
    width = len(panels) * (WIDTH + _GAP) + _GAP
    parts = [
        f'<text x="{left}" y="32" font-size="14" font-weight="bold">{escape(f"{title} · {name}")}</text>'
        f'<g transform="translate({left},{_HEADING})">{drawn}</g>'
        for place, (name, drawn) in enumerate(panels)
        for left in [_GAP + place * (WIDTH + _GAP)]
    ]
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}"><rect width="100%" height="100%" fill="{paint("card")}"/>'
        f'<g fill="{paint("ink")}" font-family="{FONT}">{"".join(parts)}</g></svg>'
    )
    return packed(vl_convert.svg_to_png(for_light(picture)))


def _size(drawn: str) -> tuple[float, float]:
    """Width and height of a picture in pixels."""
    found = _SIZE.search(drawn)
    return (float(found[1]), float(found[2])) if found else (0, 0)


def _styled(chart: Any) -> Any:
    """The chart with little of what is neither mark nor data, so that the marks stand out.

    What stands around a chart tells those who do not see it what it shows, so its marks need not.
    """
    return (
        chart.configure(background="transparent", font=FONT, aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=paint("muted"),
            labelFontSize=12,
            titleColor=paint("muted"),
            titleFontSize=12,
            titleFontWeight="normal",
            gridColor=paint("line"),
            domain=False,
            ticks=False,
            labelPadding=5,
            aria=False,
        )
        .configure_mark(aria=False)
    )
