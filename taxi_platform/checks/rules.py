"""What nearly every row of a month keeps to, and how many may break it before somebody should look. Pure.

The files are published with faults, and a month is loaded as its file is: rows that break a rule stay in the table.
So a rule warns when a month is unlike those that were measured, and is silent about the usual share. "Measured" is ten
whole release files, green 2020-03 to 2020-12, 887,649 rows; ``docs/quality.md`` shows the same as a table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taxi_platform.checks.results import Check
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import FHV, GREEN, YELLOW, Service

FEW = 10
"""Rows that break a rule do not make a month suspicious when they are no more than this, however small the month is."""

STRAYS = 0.001
BACKWARDS = 0.001
UNKNOWN_ZONES = 0.0
NEGATIVE = 0.01
NO_VENDOR = {GREEN.name: 0.5, YELLOW.name: 0.1}
DUPLICATES = {GREEN.name: 0.0, YELLOW.name: 0.0, FHV.name: 0.01}

ZONE_COLUMNS = ("pulocationid", "dolocationid")


@dataclass(frozen=True)
class Rule:
    """Something that is true of nearly every row.

    Attributes:
        check: the check that watches over it.
        broken: the SQL condition of rows that break it; ``{first}`` and ``{next}`` stand for the beginnings of the
            month and of the month after, ``{unknown}`` for what is said of an unknown zone.
        share: of a month's rows that may break it; beyond that the check warns.
        shown: the columns that make a broken row understandable.
    """

    check: Check
    broken: str
    share: float
    shown: tuple[str, ...]

    def condition(self, month: Month, unknown: str) -> str:
        """The condition of a month's broken rows, with what makes a zone unknown, e.g. ``not in (select …)``."""
        first, after = (f"timestamp '{one}-01'" for one in (month, month.plus(1)))
        return self.broken.format(first=first, next=after, unknown=unknown)

    def allowed(self, rows: int) -> int:
        """How many of so many rows may break it."""
        return max(FEW, int(self.share * rows)) if self.share else 0


def rules_of(service: Service) -> Mapping[str, Rule]:
    """The rules for the columns that a service has, by the names of their checks."""
    return {rule.check.name: rule for rule in _rules(service)}


def _rules(service: Service) -> Iterator[Rule]:
    times = (service.pickup, service.dropoff)
    yield Rule(
        Check(
            "pickups_lie_in_month",
            "Pickups lie in the month of their file.",
            "Measured: 62 rows (0.007 %), at most 0.017 % of a month, from 2008 to 2041; "
            "more than 0.1 % looks like another month's file.",
        ),
        f"({service.pickup} >= {{first}} and {service.pickup} < {{next}}) is not true",
        STRAYS,
        times,
    )
    yield Rule(
        Check(
            "dropoffs_follow_pickups",
            "No trip ends before it begins.",
            "Measured: 20 rows (0.002 %); more than 0.1 % looks like exchanged columns or another time zone.",
        ),
        f"{service.dropoff} < {service.pickup}",
        BACKWARDS,
        times,
    )
    yield Rule(
        Check(
            "zones_are_known",
            "Every zone number is in the TLC's zone lookup; absent ones are told and not counted.",
            "Measured: none, for unknown places are 264 and 265. One is enough to lose its trips in a join.",
        ),
        " or ".join(f"{name} {{unknown}}" for name in ZONE_COLUMNS),
        UNKNOWN_ZONES,
        ZONE_COLUMNS,
    )
    if service.has("vendorid"):
        yield Rule(
            Check(
                "vendors_are_known",
                "Most rows name their vendor; those without one lack five more columns.",
                "Measured: 21 to 46 % of a green month lack it, so 50 % are let pass, and 10 % of a yellow one, whose "
                "files have far fewer. More looks like a month that was published before it was complete.",
            ),
            "vendorid is null",
            NO_VENDOR[service.name],
            ("vendorid", *times),
        )
    if service.has("total_amount"):
        yield Rule(
            Check(
                "totals_are_not_negative",
                "Few totals are negative: those that take back another row.",
                "Measured: 2,103 rows (0.24 %), at most 0.34 % of a month; more than 1 % would be seen in sums.",
            ),
            "total_amount < 0",
            NEGATIVE,
            ("total_amount", "fare_amount", *(["payment_type"] if service.has("payment_type") else [])),
        )


def unique_ids(service: Service) -> Rule:
    """The rule that has a scan of its own: no two rows have the same ``unique_row_id``."""
    why = (
        "Bases report some trips twice: 1 of the 1,800 rows at hand; 1 % is let pass."
        if service == FHV
        else "Measured: none, whereas without fare and distance 2,052 rows would share theirs."
    )
    return Rule(
        Check("row_ids_are_unique", "No two rows have the same unique_row_id.", why),
        "",
        DUPLICATES[service.name],
        service.identity,
    )
