"""What a backfill would load, and why. Pure: the facts come from ``record``, ``operations/backfill`` carries it out."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from taxi_platform.errors import InvalidRequest
from taxi_platform.ledger.record import MonthRecord
from taxi_platform.trips.months import Month, ranges
from taxi_platform.trips.services import SERVICES, Service

Choice = Literal["missing", "failed", "all"]
Span = tuple[Month | None, Month | None]

EVERY_SERVICE = "all"
_DOTS = re.compile(r"\.{2,3}")
_RANGES = "A range is written 2019-01..2019-12, 2019-06.. or ..2019-06."


@dataclass(frozen=True)
class Plan:
    """What a backfill loads."""

    planned: Sequence[MonthRecord]  # by service, in the order in which the months are loaded
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])  # how many months are left out, by their state
    in_progress: Sequence[MonthRecord] = ()  # months that are left out because they are being loaded already
    newest_first: bool = False  # whether the newest month comes first
    force: bool = False

    def month_ranges(self) -> list[list[MonthRecord]]:
        """Return the months of each run, of one service and without a gap, in the order in which runs should start."""
        months = {(record.service.name, record.month): record for record in self.planned}
        runs = [
            [months[service.name, month] for month in first.through(last)]
            for service, planned in groupby(self.planned, lambda record: record.service)
            for first, last in ranges(record.month for record in planned)
        ]
        return sorted(runs, key=lambda run: run[-1].month, reverse=True) if self.newest_first else runs

    def batches(self) -> list[list[MonthRecord]]:
        """Return the months of each Dagster backfill: all of a service, or one range when order matters."""
        if self.newest_first:
            return self.month_ranges()
        return [list(planned) for _, planned in groupby(self.planned, lambda record: record.service)]

    def run_config(self, planned: Sequence[MonthRecord]) -> dict[str, Any]:
        """Return the configuration of the runs that load some months of one service."""
        # The source may have corrected a file that failed, and has another version of one that changed.
        refreshed = [record.month for record in planned if record.state in ("failed", "file changed")]
        values = {
            "force": self.force or any(record.failed_checks for record in planned),  # all of them are loaded anyway
            "newest_first": self.newest_first,
            "refresh": sorted(map(str, refreshed)),
        }
        config = {name: value for name, value in values.items() if value}
        return {"ops": {"__".join(planned[0].key): {"config": config}}}


def reason_of(record: MonthRecord) -> str:
    """Return why a planned month is loaded."""
    return "forced" if record.state == "materialized" else record.state


def parse_services(text: str) -> list[Service]:
    """Return the services that ``green,yellow`` or ``all`` names, each once, or raise ``InvalidRequest``."""
    names = {name.strip() for name in text.split(",")}
    unknown = sorted(names - {*SERVICES, EVERY_SERVICE})
    if unknown:
        raise InvalidRequest(repr(unknown[0]), "there is no such service", f"Write {', '.join(SERVICES)} or all.")
    return [service for service in SERVICES.values() if names & {service.name, EVERY_SERVICE}]


def parse_span(text: str) -> Span:
    """Return the first and last month of ``2019-01..2019-12``, None for an open end, or raise ``InvalidRequest``."""
    first, *rest = _DOTS.split(text, maxsplit=1)
    try:
        ends = [Month.parse(end.strip()) if end.strip() or not rest else None for end in (first, *rest)]
    except ValueError as error:
        raise InvalidRequest("MONTHS", str(error), _RANGES) from None
    span = ends[0], ends[-1]
    if span[0] and span[1] and span[1] < span[0]:
        raise InvalidRequest(repr(text), "the first month lies after the last", f"Write {span[1]}..{span[0]}.")
    return span


def months_in(span: Span, service: Service, partitions: Sequence[Month]) -> list[Month]:
    """Return the months of a span. If one of its ends is not a partition, that is an ``InvalidRequest``."""
    outside = [month for month in span if month and month not in partitions]
    if outside or not partitions:
        valid = f"{service.name} has {partitions[0]} to {partitions[-1]}" if partitions else f"{service.name} has none"
        raise InvalidRequest(
            str(outside[0]) if outside else service.name,
            f"it is not among the months that can be loaded: {valid}",
            "TAXI_FIRST_MONTH and TAXI_LAST_MONTH set them; unset, the last is the newest that may be published.",
        )
    return list((span[0] or partitions[0]).through(span[1] or partitions[-1]))


def make_plan(records: Iterable[MonthRecord], choice: Choice, *, newest_first: bool = False) -> Plan:
    """Return what to load of these months, which are in order by service.

    ``missing`` loads whatever does not hold its file, which includes failed months and changed files; ``failed`` loads
    failed months alone; ``all`` also loads what is in place.
    """
    planned: list[MonthRecord] = []
    in_progress: list[MonthRecord] = []
    left_out: Counter[str] = Counter()
    for record in records:
        state = record.state
        if state == "in progress":
            in_progress.append(record)
        elif choice == "all" or state == "failed" or (choice == "missing" and state != "materialized"):
            planned.append(record)
        else:
            left_out[state] += 1
    if newest_first:
        order = list(SERVICES)
        planned.sort(key=lambda record: record.month, reverse=True)
        planned.sort(key=lambda record: order.index(record.service.name))
    return Plan(planned, dict(left_out), in_progress, newest_first, force=choice == "all")
