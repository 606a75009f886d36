"""What there is most of: zones and ways to pay. Pure."""

from collections.abc import Sequence

from taxi_platform.reports.figures import UNKNOWN, ServiceFigures, Sum, Zone
from taxi_platform.reports.numbers import NONE, brief, dollars, share, whole
from taxi_platform.reports.page import Figure, Panel, Table, number
from taxi_platform.reports.ranking import Line, ranking

TOP_ZONES = 10


def top_zones(services: Sequence[ServiceFigures]) -> Figure:
    """Where most trips begin."""
    ranked = [(one, zones) for one in services if (zones := _first_zones(one))]
    rows = [
        [
            one.service.title,
            zone.label,
            zone.borough,
            number(whole(total.trips)),
            number(share(total.trips, one.sum.trips)),
            number(dollars(total.revenue) if one.is_paid else NONE),
        ]
        for one, zones in ranked
        for zone, total in zones
    ]
    return Figure(
        "zones",
        "Where trips begin",
        f"The {TOP_ZONES} zones with the most pickups. How many trips name no zone is told below.",
        [_zones(one, zones) for one, zones in ranked],
        Table(["Service", "Zone", "Borough", "Trips", "Share", "Revenue"], rows),
    )


def payments(services: Sequence[ServiceFigures]) -> Figure:
    """How trips are paid."""
    paid = [one for one in services if one.payments]
    names = _by_frequency(paid)
    rows = [
        [
            name,
            *(
                number(text)
                for one in paid
                for text in (
                    whole(one.payments.get(name, 0)),
                    share(one.payments.get(name, 0), sum(one.payments.values())),
                )
            ),
        ]
        for name in names
    ]
    headings = [heading for one in paid for heading in (one.service.title, "Share")]
    return Figure(
        "payments",
        "How trips are paid",
        f"Trips by payment. {UNKNOWN} are those that came without it.",
        [_payments(one, names) for one in paid],
        Table(["Payment", *headings], rows),
        layout="below",
    )


def _zones(one: ServiceFigures, zones: Sequence[tuple[Zone, Sum]]) -> Panel:
    first, most = zones[0]
    lines = [Line(zone.label, total.trips, brief(total.trips)) for zone, total in zones]
    part = share(sum(total.trips for _, total in zones), one.sum.trips)
    return Panel(
        title=one.service.title,
        colour=one.service.name,
        figure=f"{part} of all",
        told=f"{one.service.title}: most pickups are in {first.label}, {whole(most.trips)}; "
        f"these {len(zones)} zones have {part} of all trips.",
        draw=lambda: ranking(lines, colour=one.service.name),
    )


def _payments(one: ServiceFigures, names: Sequence[str]) -> Panel:
    every = sum(one.payments.values())
    found = [(name, one.payments.get(name, 0)) for name in names if one.payments.get(name)]
    lines = [Line(name, trips / every, f"{share(trips, every)}") for name, trips in found]
    told = ", ".join(f"{line.name} {line.figure}" for line in lines)
    return Panel(
        title=one.service.title,
        colour=one.service.name,
        figure="",
        told=f"{one.service.title}: {told}.",
        draw=lambda: ranking(lines, colour=one.service.name, full=1),
    )


def _first_zones(one: ServiceFigures) -> list[tuple[Zone, Sum]]:
    known = [(zone, total) for zone, total in one.zones.items() if zone.is_known]
    return sorted(known, key=lambda item: (-item[1].trips, item[0].label))[:TOP_ZONES]


def _by_frequency(services: Sequence[ServiceFigures]) -> list[str]:
    totals: dict[str, int] = {}
    for one in services:
        for name, trips in one.payments.items():
            totals[name] = totals.get(name, 0) + trips
    return sorted(totals, key=lambda name: -totals[name])
