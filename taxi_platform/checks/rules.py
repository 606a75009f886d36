"""The rules that nearly every row of a month follows, as a table. Pure.

A file is loaded with the mistakes it was published with, so rows that break a rule stay in the table. A rule warns when
more of them break it than in the months that were measured. How many rows may break a rule, and why that many, is in
the service's contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from taxi_platform.checks.results import Check
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service, Threshold

FEW = 10  # rows that may break a rule in a month of any size
UNIQUE_IDS = "row_ids_are_unique"  # the rule that no condition of one row can express: it has its own scan
ZONE_COLUMNS = ("pulocationid", "dolocationid")

# The check's name, its promise, its threshold in the contract, the column that a service must have, and the SQL
# condition of rows that break it. {first} and {next} stand for the beginnings of the month and of the month after,
# {unknown} for the condition of an unknown zone.
_RULES = (
    ("pickups_lie_in_month", "Pickups lie in the month of their file.", "strays", "",
     "({pickup} >= {first} and {pickup} < {next}) is not true"),
    ("dropoffs_follow_pickups", "No trip ends before it begins.", "backwards", "", "{dropoff} < {pickup}"),
    ("zones_are_known", "Every zone number is in the TLC's zone lookup; absent ones are reported and not counted.",
     "unknown_zones", "", " or ".join(f"{name} {{unknown}}" for name in ZONE_COLUMNS)),
    ("vendors_are_known", "Most rows name their vendor; those without one lack five more columns.", "no_vendor",
     "vendorid", "vendorid is null"),
    ("totals_are_not_negative", "Few totals are negative: those that take back another row.", "negative_totals",
     "total_amount", "total_amount < 0"),
    (UNIQUE_IDS, "No two rows have the same unique_row_id.", "duplicates", "", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """Something that is true of nearly every row."""

    check: Check
    broken: str  # the SQL condition of rows that break it, with placeholders; empty for ``UNIQUE_IDS``
    share: float  # of a month's rows that may break it; beyond that the check warns

    def allowed(self, rows: int) -> int:
        """Return how many of a month's rows may break it."""
        return max(FEW, int(self.share * rows)) if self.share else 0


def rules_of(service: Service) -> Mapping[str, Rule]:
    """Return the rules for the columns that a service has, by the names of their checks."""
    rules: dict[str, Rule] = {}
    for name, promise, threshold_name, column, broken in _RULES:
        if not column or service.has(column):
            threshold: Threshold = getattr(service.thresholds, threshold_name)
            rules[name] = Rule(Check(name, promise, threshold.why), broken, threshold.share)
    return rules


def condition(service: Service, month: Month, rule: Rule, unknown: str) -> str:
    """Return the SQL condition of a month's broken rows; ``unknown`` is that of an unknown zone."""
    first, after = (f"timestamp '{start}-01'" for start in (month, month.plus(1)))
    return rule.broken.format(pickup=service.pickup, dropoff=service.dropoff, first=first, next=after, unknown=unknown)
