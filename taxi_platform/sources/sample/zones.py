"""The zone lookup of the sample: as many zones in the same boroughs as the TLC's, with names that are made up. Pure."""

from itertools import cycle, product

HEADER = '"LocationID","Borough","Zone","service_zone"'
UNKNOWN_ZONES = ('264,"Unknown","NV","N/A"', '265,"Unknown","NA","N/A"')
AIRPORTS = (132, 138)

_PLACES = ("Heights", "Hollow", "Meadow", "Landing", "Crossing", "Mills", "Green", "Point", "Gardens", "Yards", "Row")
_NAMES = (
    *("Amber", "Birch", "Cinder", "Dapple", "Elder", "Fennel", "Gravel", "Hazel", "Indigo", "Juniper", "Kestrel"),
    *("Larch", "Marten", "Nettle", "Otter", "Plover", "Quarry", "Rowan", "Sorrel", "Thistle", "Umber", "Vetch"),
    *("Willow", "Yarrow"),
)
# From zone 2 on, over and over: the boroughs' shares of the city's zones.
_BOROUGHS = "Queens Manhattan Brooklyn Bronx Manhattan Queens Brooklyn Queens Manhattan Bronx Brooklyn Queens Manhattan"
_STATEN_ISLAND_EVERY = 13


def zone_lookup() -> str:
    """The lookup as CSV: a quoted header and 265 zones, of which the last two are unknown places."""
    return "\n".join([HEADER, *_known_zones(), *UNKNOWN_ZONES, ""])


def _known_zones() -> list[str]:
    names = [f"{name} {place}" for place, name in product(_PLACES, _NAMES)]
    boroughs = cycle(_BOROUGHS.split())
    zones = [_zone(1, "EWR", f"{names[0]} Airport", "EWR")]
    for number in range(2, 264):
        borough = "Staten Island" if number % _STATEN_ISLAND_EVERY == 0 else next(boroughs)
        if number in AIRPORTS:
            zones.append(_zone(number, "Queens", f"{names[number - 1]} Airport", "Airports"))
        else:
            service_zone = "Yellow Zone" if borough == "Manhattan" else "Boro Zone"
            zones.append(_zone(number, borough, names[number - 1], service_zone))
    return zones


def _zone(number: int, borough: str, name: str, service_zone: str) -> str:
    return f'{number},"{borough}","{name}","{service_zone}"'
