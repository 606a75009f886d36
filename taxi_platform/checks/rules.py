"""The rules that nearly every row of a month follows. Pure.

A file is loaded with the mistakes it was published with, so rows that break a rule stay in the table. A rule warns when
more of them break it than in the months that were measured. How many rows may
break a rule, and why that many, is in the service's contract.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taxi_platform.checks.results import Check
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service, Threshold

FEW = 10
"""A month of any size passes a rule that no more rows than this break."""

ZONE_COLUMNS = ("pulocationid", "dolocationid")


@dataclass(frozen=True)
class Rule:
    """Something that is true of nearly every row.

    Attributes:
        check: its check.
        broken: the SQL condition of rows that break it; ``{first}`` and ``{next}`` stand for the beginnings of the
            month and of the month after, ``{unknown}`` for the condition of an unknown zone.
        share: of a month's rows that may break it; beyond that the check warns.
        shown: the columns that show why a row breaks it.
    """

    check: Check
    broken: str
    share: float
    shown: tuple[str, ...]

    def condition(self, month: Month, unknown: str) -> str:
        """Return the condition of a month's broken rows; ``unknown`` is that of an unknown zone."""
        first, after = (f"timestamp '{start}-01'" for start in (month, month.plus(1)))
        return self.broken.format(first=first, next=after, unknown=unknown)

    def allowed(self, rows: int) -> int:
        """Return how many of a month's rows may break it."""
        return max(FEW, int(self.share * rows)) if self.share else 0


def rules_of(service: Service) -> Mapping[str, Rule]:
    """Return the rules for the columns that a service has, by the names of their checks."""
    return {rule.check.name: rule for rule in _rules(service)}


def _rules(service: Service) -> Iterator[Rule]:
    times = (service.pickup, service.dropoff)
    thresholds = service.thresholds
    yield _rule(
        "pickups_lie_in_month",
        "Pickups lie in the month of their file.",
        thresholds.strays,
        f"({service.pickup} >= {{first}} and {service.pickup} < {{next}}) is not true",
        times,
    )
    yield _rule(
        "dropoffs_follow_pickups",
        "No trip ends before it begins.",
        thresholds.backwards,
        f"{service.dropoff} < {service.pickup}",
        times,
    )
    yield _rule(
        "zones_are_known",
        "Every zone number is in the TLC's zone lookup; absent ones are reported and not counted.",
        thresholds.unknown_zones,
        " or ".join(f"{name} {{unknown}}" for name in ZONE_COLUMNS),
        ZONE_COLUMNS,
    )
    if service.has("vendorid"):
        yield _rule(
            "vendors_are_known",
            "Most rows name their vendor; those without one lack five more columns.",
            thresholds.no_vendor,
            "vendorid is null",
            ("vendorid", *times),
        )
    if service.has("total_amount"):
        yield _rule(
            "totals_are_not_negative",
            "Few totals are negative: those that take back another row.",
            thresholds.negative_totals,
            "total_amount < 0",
            ("total_amount", "fare_amount", *(["payment_type"] if service.has("payment_type") else [])),
        )


def unique_ids(service: Service) -> Rule:
    """Return the rule that has its own scan: no two rows have the same ``unique_row_id``."""
    duplicates = service.thresholds.duplicates
    return _rule("row_ids_are_unique", "No two rows have the same unique_row_id.", duplicates, "", service.identity)


def _rule(name: str, promise: str, threshold: Threshold, broken: str, shown: tuple[str, ...]) -> Rule:
    return Rule(Check(name, promise, threshold.why), broken, threshold.share, shown)
