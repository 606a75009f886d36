"""How good the data is: what is missing or strange in it, counted. Pure; whether that is too much is for the checks."""

from collections.abc import Callable, Sequence

from taxi_platform.reports.figures import Faults, ServiceFigures
from taxi_platform.reports.numbers import NONE, share, whole
from taxi_platform.reports.page import Figure, Panel, Table, number
from taxi_platform.reports.ranking import Line, ranking

_Kind = tuple[str, Callable[[Faults], int]]
_KINDS: Sequence[_Kind] = (
    ("Without a vendor", lambda faults: faults.without_vendor),
    ("Pickup outside the month", lambda faults: faults.strays),
    ("Drop-off before pickup", lambda faults: faults.backwards),
    ("Negative total", lambda faults: faults.negative),
    ("Rejected rows", lambda faults: faults.rejected),
)
_ZONE = "Zone not known"


def quality(services: Sequence[ServiceFigures]) -> Figure:
    """The faults of each service as shares of all rows of its files."""
    found = [(one, counts(one)) for one in services]
    names = [*(name for name, _ in _KINDS), _ZONE]
    rows = [[name, *(number(text) for one, faults in found for text in _told(one, faults.get(name)))] for name in names]
    headings = [heading for one in services for heading in (one.service.title, "Share")]
    return Figure(
        "quality",
        "How good the data is",
        "Of all rows of the files. None of these trips is left out of any figure; rejected rows are no trips.",
        [_panel(one, faults) for one, faults in found],
        Table(["What", *headings], rows),
    )


def counts(one: ServiceFigures) -> dict[str, int]:
    """Rows by what is strange about them, where the service's files could say so."""
    faults = one.fault
    found = {name: count(faults) for name, count in _KINDS if one.is_paid or name != "Negative total"}
    found[_ZONE] = sum(total.trips for zone, total in one.zones.items() if not zone.is_known)
    return found


def _panel(one: ServiceFigures, faults: dict[str, int]) -> Panel:
    rows = _rows(one)
    lines = [
        Line(_named(one, name), count / rows if rows else 0, f"{whole(count)} · {share(count, rows)}")
        for name, count in faults.items()
    ]
    told = "; ".join(f"{line.name}: {line.figure}" for line in lines)
    return Panel(
        title=one.service.title,
        colour=one.service.name,
        figure=f"{whole(rows)} rows",
        told=f"{one.service.title}: {told}.",
        draw=lambda: ranking(lines, colour=one.service.name, full=1),
    )


def _told(one: ServiceFigures, count: int | None) -> tuple[str, str]:
    return (NONE, NONE) if count is None else (whole(count), share(count, _rows(one)))


def _rows(one: ServiceFigures) -> int:
    return one.sum.trips + one.fault.rejected


def _named(one: ServiceFigures, name: str) -> str:
    return f"Without a {one.service.reported_by}" if name == "Without a vendor" else name
