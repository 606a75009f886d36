"""What a backfill would load, and why. Pure: the states come from ``facts``, and who loads is another matter."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from taxi_platform.errors import InvalidRequest
from taxi_platform.ledger.states import MonthState
from taxi_platform.trips.months import Month, ranges
from taxi_platform.trips.services import SERVICES, Service

Choice = Literal["missing", "failed", "all"]
Reason = Literal["missing", "failed", "file changed", "forced"]
Span = tuple[Month | None, Month | None]

EVERY_SERVICE = "all"
_SPAN = re.compile(r"(?P<first>[^.]*)(?P<dots>\.{2,3})(?P<last>[^.]*)")
_HOW = "Write 2019-03, 2019-01..2019-12, 2019-06.. or ..2019-06."
# A file that failed may have been corrected at its source meanwhile; a changed one has another version there.
_ASKS_THE_SOURCE: set[Reason] = {"failed", "file changed"}


@dataclass(frozen=True)
class Planned:
    """One month that is to be loaded, and why.

    Attributes:
        service: whose month.
        month: the month.
        reason: why, in a word.
        note: what is to be added to that, or nothing.
        tried_before: the last run that was to load it, if any did.
        by_force: whether it is loaded even when the table says that it holds the very file.
    """

    service: Service
    month: Month
    reason: Reason
    note: str = ""
    tried_before: str | None = None
    by_force: bool = False


@dataclass(frozen=True)
class Stretch:
    """Months of one service without a gap, which one run loads."""

    service: Service
    first: Month
    last: Month


@dataclass(frozen=True)
class Plan:
    """What is to be loaded.

    Attributes:
        planned: by service, in the order in which the months are loaded.
        loaded: how many months are in place, and left out for that.
        others: how many are left out for another state, by that state.
        busy: months that are being loaded already; nobody starts a second time on them.
        newest_first: whether the newest month comes first.
        force: whether months are loaded even when the table holds these very files.
    """

    planned: Sequence[Planned]
    loaded: int = 0
    others: Mapping[str, int] | None = None
    busy: Sequence[MonthState] = ()
    newest_first: bool = False
    force: bool = False

    def stretches(self) -> list[Stretch]:
        """The runs that it takes, in the order in which they should begin."""
        by_service = groupby(self.planned, lambda one: one.service)
        found = [
            Stretch(service, first, last)
            for service, planned in by_service
            for first, last in ranges(one.month for one in planned)
        ]
        return sorted(found, key=lambda stretch: stretch.last, reverse=True) if self.newest_first else found

    def batches(self) -> list[list[Stretch]]:
        """What is asked of the daemon at once: a service, or, for their order's sake, each stretch for itself."""
        if self.newest_first:
            return [[stretch] for stretch in self.stretches()]
        return [list(stretches) for _, stretches in groupby(self.stretches(), lambda stretch: stretch.service)]

    def run_config(self, stretches: Iterable[Stretch]) -> dict[str, Any]:
        """The configuration of the run of some stretches of one service."""
        stretches = list(stretches)
        (service,) = {stretch.service for stretch in stretches}
        months = {month for stretch in stretches for month in stretch.first.through(stretch.last)}
        anew = [one for one in self.planned if one.service == service and one.month in months]
        values = {
            "force": self.force or any(one.by_force for one in anew),  # all of them are to be loaded anyway
            "newest_first": self.newest_first,
            "refresh": sorted(str(one.month) for one in anew if one.reason in _ASKS_THE_SOURCE),
        }
        return {"ops": {service.table: {"config": {name: value for name, value in values.items() if value}}}}


def parse_services(text: str) -> list[Service]:
    """The services that ``green``, ``green,yellow`` or ``all`` names, each once, in the contracts' order.

    Raises:
        InvalidRequest: there is no such service.
    """
    names = {name.strip() for name in text.split(",")}
    unknown = sorted(names - {*SERVICES, EVERY_SERVICE})
    if unknown:
        raise InvalidRequest(repr(unknown[0]), "there is no such service", f"There are {', '.join(SERVICES)}, and all.")
    return [service for service in SERVICES.values() if names & {service.name, EVERY_SERVICE}]


def parse_span(text: str) -> Span:
    """The first and the last month that ``2019-01..2019-12`` names, both included; None where an end is open.

    Raises:
        InvalidRequest: it names no months, or the first lies after the last.
    """
    match = _SPAN.fullmatch(text.strip())
    first, last = (match["first"], match["last"]) if match else (text, text)
    try:
        span = _end(first, open_=match is not None), _end(last, open_=match is not None)
    except ValueError as error:
        raise InvalidRequest(repr(text), str(error), _HOW) from None
    if span[0] and span[1] and span[1] < span[0]:
        raise InvalidRequest(repr(text), "the first month lies after the last", f"Write {span[1]}..{span[0]}.")
    return span


def months_in(span: Span, service: Service, partitions: Sequence[Month]) -> list[Month]:
    """The months of the span, every one of which must be a partition.

    Raises:
        InvalidRequest: a month of the span is none, or there is none at all.
    """
    outside = [month for month in span if month and month not in partitions]
    if outside or not partitions:
        valid = f"{service.name} has {partitions[0]} to {partitions[-1]}" if partitions else f"{service.name} has none"
        raise InvalidRequest(
            str(outside[0]) if outside else service.name,
            f"it is not among the months that can be loaded: {valid}",
            "TAXI_FIRST_MONTH and TAXI_LAST_MONTH set them; a month can be loaded when it has ended.",
        )
    return list((span[0] or partitions[0]).through(span[1] or partitions[-1]))


def make_plan(states: Iterable[MonthState], choice: Choice, *, newest_first: bool = False) -> Plan:
    """What is to be loaded of these months.

    Args:
        states: the months that were asked for, by service and then in order.
        choice: ``missing`` is all that is not in place as its file, so failed months and changed files, too;
            ``failed`` these alone; ``all`` loads also what is in place.
        newest_first: begin with the newest.
    """
    planned: list[Planned] = []
    busy: list[MonthState] = []
    left_out: Counter[str] = Counter()
    for state in states:
        reason = _reason(state, choice)
        if state.state == "in progress":
            busy.append(state)
        elif reason:
            service = SERVICES[state.service]
            planned.append(Planned(service, state.month, reason, state.note, state.run_id, state.is_broken))
        else:
            left_out[state.state] += 1
    if newest_first:
        planned = [
            one
            for _, months in groupby(planned, lambda one: one.service)
            for one in sorted(months, key=lambda one: one.month, reverse=True)
        ]
    loaded = left_out.pop("materialized", 0)
    return Plan(planned, loaded, dict(left_out), busy, newest_first, force=choice == "all")


def _reason(state: MonthState, choice: Choice) -> Reason | None:
    if state.state == "in progress":
        return None
    if state.state == "materialized":
        return "forced" if choice == "all" else None
    return state.state if choice != "failed" or state.state == "failed" else None


def _end(text: str, *, open_: bool) -> Month | None:
    return None if open_ and not text.strip() else Month.parse(text.strip())
