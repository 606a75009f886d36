"""The charts of a report, drawn by Altair, and the palette. No browser and no network is needed.

What the charts show is decided in ``panels``.
"""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from taxi_platform.trips.services import SERVICES

Chart = Any  # Altair's; the library is imported only when something is drawn

WIDTH = 340  # pixels of a panel: a phone's width without its margins, so that no text is scaled down
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = range(24)

_COLOURS = {
    "page": ("#f5f6f8", "#12151b"),
    "card": ("#ffffff", "#1b2029"),
    "ink": ("#1b1f27", "#e9ecf1"),
    "muted": ("#5a6271", "#a3acba"),
    "line": ("#e1e5eb", "#323a46"),
    "link": ("#1a56c4", "#8ab4ff"),
    "notice": ("#fff4d9", "#3a3015"),
    "all": ("#2f6fb5", "#6cb2f5"),
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_COLUMNS_HEIGHT, _HEAT_MAP_HEIGHT, _BAR_HEIGHT = 150, 180, 30  # pixels, axes and texts included
_LABEL_CHARACTERS = 32  # that fit below the axis of a panel
_NUMBER_WIDTH = 110  # pixels that the name of a bar leaves free for its number
_OPACITIES = (0.06, 0.16, 0.28, 0.42, 0.58, 0.76, 1.0)  # of a heat map's cells; one colour does for light and dark
_COLOUR = re.compile(r"var\(--([a-z]+)\)")
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")  # a coordinate; texts have two digits at most


class Bar(NamedTuple):
    """One bar of a ranking: its name, its length in proportion to the others, and the number at its end."""

    name: str
    length: float
    number: str


def palette() -> Mapping[str, tuple[str, str]]:
    """Return each colour for a light and for a dark page.

    Texts have a contrast of at least 4.5 with every surface, marks of at least 3 (WCAG 2.1); a test measures both.
    """
    return {**_COLOURS, **{service.name: service.colours for service in SERVICES.values()}}


def colour_of(name: str) -> str:
    """Return a colour of the palette as a CSS variable, so that a chart changes with the page it is part of."""
    return f"var(--{name})"


def stylesheet() -> str:
    """Return all colours as CSS variables, for readers who prefer light pages and those who prefer dark ones."""
    light, dark = (" ".join(f"--{name}: {each[scheme]};" for name, each in palette().items()) for scheme in (0, 1))
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


def columns(
    values: Sequence[tuple[str, float | None]],
    *,
    colour: str,
    form: str = "~s",
    title: str | None = None,
    highest: float | None = None,
    labels: Sequence[str] = (),
) -> Chart:
    """Return vertical columns, one per pair of label and height, with a gap where the height is None.

    The format ``form`` is d3's, the title that of the axis below. The axis ends at the highest column unless
    ``highest`` says where, and as many labels are written as there is room for, unless ``labels`` names them.
    """
    import altair

    names = [name for name, _ in values]
    room = max(1, _LABEL_CHARACTERS // max((len(name) for name in names), default=1))
    labels = labels or names[:: max(1, -(-len(names) // room))]
    rows = [{"name": name, "height": height} for name, height in values]
    chart: Chart = altair.Chart(altair.Data(values=rows), width=WIDTH, height=_COLUMNS_HEIGHT)
    return chart.mark_bar(color=colour_of(colour)).encode(
        x=altair.X(
            "name:O",
            sort=names,
            title=title,
            scale=altair.Scale(paddingInner=0.15, paddingOuter=0.05),
            axis=altair.Axis(labelAngle=0, labelPadding=8, grid=False, values=list(labels)),
        ),
        y=altair.Y(
            "height:Q",
            title=None,
            scale=altair.Scale(domain=[0, highest]) if highest else altair.Scale(zero=True, nice=3),
            axis=altair.Axis(labelExpr=f"format(datum.value, '{form}')", tickCount=3),
        ),
    )


def heat_map(values: Mapping[tuple[int, int], float], *, colour: str) -> Chart:
    """Return a cell for each weekday (0 is Monday) and hour: the busier the hour, the fuller the colour."""
    import altair

    busiest = max(values.values(), default=0) or 1
    rows = [
        {"day": weekday, "hour": f"{hour:02}", "value": values.get((number, hour), 0)}
        for number, weekday in enumerate(WEEKDAYS)
        for hour in HOURS
    ]
    chart: Chart = altair.Chart(altair.Data(values=rows), width=WIDTH, height=_HEAT_MAP_HEIGHT)
    padding = altair.Scale(paddingInner=0.08)
    opacity = altair.Scale(type="quantize", domain=[0, busiest], range=list(_OPACITIES))
    hours = altair.Axis(labelAngle=0, values=[f"{hour:02}" for hour in HOURS[::4]])
    return chart.mark_rect(color=colour_of(colour)).encode(
        x=altair.X("hour:O", title="hour of the day", scale=padding, axis=hours),
        y=altair.Y("day:O", title=None, sort=list(WEEKDAYS), scale=padding),
        fillOpacity=altair.FillOpacity("value:Q", scale=opacity, legend=None),
    )


def ranking(bars: Sequence[Bar], *, colour: str, full: float | None = None) -> Chart:
    """Return horizontal bars with their names above them; ``full`` is the length of one as wide as the panel."""
    import altair

    rows = [{"place": place, **bar._asdict()} for place, bar in enumerate(bars)]
    longest = full or max((bar.length for bar in bars), default=0) or 1
    base: Chart = altair.Chart(altair.Data(values=rows), width=WIDTH, height=_BAR_HEIGHT * max(len(rows), 1))
    base = base.encode(y=altair.Y("place:O", axis=None, scale=altair.Scale(padding=0)))
    bar = base.mark_bar(height=8, yOffset=6, color=colour_of(colour)).encode(
        x=altair.X("length:Q", axis=None, scale=altair.Scale(domain=[0, longest], nice=False))
    )
    text = {"fontSize": 12.5, "yOffset": -7, "color": colour_of("ink"), "baseline": "middle"}
    name = base.mark_text(align="left", limit=WIDTH - _NUMBER_WIDTH, **text).encode(x=altair.value(0), text="name:N")
    number = base.mark_text(align="right", **text).encode(x=altair.value(WIDTH), text="number:N")
    return altair.layer(bar, name, number)


def svg(chart: Chart) -> str:
    """Return the chart as an SVG as wide as a panel, in colours that the page decides.

    The element around a chart describes it for people who do not see it, so the marks need no descriptions.
    """
    import altair

    muted = colour_of("muted")
    text = {"labelColor": muted, "titleColor": muted, "labelFontSize": 12, "titleFontSize": 12}
    lines = {"gridColor": colour_of("line"), "domain": False, "ticks": False}
    chart = (
        # The width includes the axes, so that all charts are drawn to the same scale.
        chart.properties(autosize=altair.AutoSizeParams(type="fit", contains="padding"), padding=0)
        .configure(background="transparent", font=_FONT, aria=False)
        .configure_view(stroke=None)
        .configure_mark(aria=False)
        .configure_axis(**text, **lines, titleFontWeight="normal", labelPadding=5, aria=False)
    )
    drawing = io.StringIO()
    chart.save(drawing, format="svg")
    return _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.1f}", drawing.getvalue())


def markdown_picture(drawing: str, title: str) -> str:
    """Return Markdown with the SVG inside it, in the colours of a light page, because the UI may be dark."""
    colours = palette()
    light = _COLOUR.sub(lambda name: colours[name[1]][0], drawing)
    card = light.replace("<svg ", f'<svg style="background: {colours["card"][0]}" ', 1)
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(card.encode()).decode()})"
