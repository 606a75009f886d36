"""What the ``new_month_sensor`` remembers from look to look: Dagster's cursor, as JSON. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1


@dataclass(frozen=True)
class Look:
    """The last look at one month.

    Attributes:
        at: when the source was asked and nothing was left to be done, in seconds since 1970.
        requested: the version for which a run was asked last, as ``new_months.token`` spells it; whether that run went
            well is not remembered.
    """

    at: float = 0.0
    requested: str = ""


@dataclass(frozen=True)
class Memory:
    """All that is remembered.

    Attributes:
        looks: by the name of the month's file.
        rest_until: when the source wants to be asked again at the earliest, in seconds since 1970.
    """

    looks: Mapping[str, Look] = field(default_factory=dict[str, Look])
    rest_until: float = 0.0

    def look(self, file_name: str) -> Look:
        """The last look at a month; one that never was lies at the beginning of time."""
        return self.looks.get(file_name, Look())

    def cursor(self) -> str:
        """The cursor that ``recall`` reads."""
        looks = {name: asdict(look) for name, look in sorted(self.looks.items())}
        return json.dumps({"version": VERSION, "rest_until": self.rest_until, "looks": looks}, separators=(",", ":"))


def recall(cursor: str | None) -> Memory | None:
    """The memory in a cursor; none when the cursor says nothing that this version understands.

    Nothing is lost with it but time: what was loaded is on record, so that every month is looked at anew.
    """
    if not cursor:
        return Memory()
    try:
        found: dict[str, Any] = json.loads(cursor)
        if found["version"] != VERSION:
            return None
        looks = {name: Look(float(look["at"]), str(look["requested"])) for name, look in found["looks"].items()}
        return Memory(looks, float(found["rest_until"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
