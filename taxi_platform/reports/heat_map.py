"""The hours of a week, each as full of colour as it is busy."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from taxi_platform.reports.drawing import WIDTH
from taxi_platform.reports.palette import paint

if TYPE_CHECKING:
    import altair

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = range(24)
HEIGHT = 180  # pixels, with what is below the axis
_STEPS = (0.06, 0.16, 0.28, 0.42, 0.58, 0.76, 1.0)  # of opacity, so that one colour does for light and dark


def heat_map(values: Mapping[tuple[int, int], float], *, colour: str) -> "altair.Chart":
    """A cell for each hour of the week.

    Args:
        values: by weekday (0 is Monday) and hour; an hour that is not among them is an empty one.
        colour: of the busiest hour, by its name in the palette.
    """
    import altair

    most = max(values.values(), default=0) or 1
    rows = [
        {"day": WEEKDAYS[day], "hour": f"{hour:02}", "value": values.get((day, hour), 0)}
        for day in range(7)
        for hour in HOURS
    ]
    drawn = cast("Any", altair.Chart(altair.Data(values=rows), width=WIDTH, height=HEIGHT))
    padding = altair.Scale(paddingInner=0.08)
    return drawn.mark_rect(color=paint(colour)).encode(
        x=altair.X(
            "hour:O",
            title="hour of the day",
            scale=padding,
            axis=altair.Axis(labelAngle=0, values=[f"{hour:02}" for hour in (0, 4, 8, 12, 16, 20)]),
        ),
        y=altair.Y("day:O", title=None, sort=list(WEEKDAYS), scale=padding),
        fillOpacity=altair.FillOpacity(
            "value:Q",
            scale=altair.Scale(type="quantize", domain=[0, most], range=list(_STEPS)),
            legend=None,
        ),
    )
