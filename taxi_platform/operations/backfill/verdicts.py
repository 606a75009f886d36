"""What became of each month that was to be loaded, in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from taxi_platform.ledger.reasons import Reasons, read_reasons
from taxi_platform.ledger.records import read_broken
from taxi_platform.ledger.states import Attempt
from taxi_platform.operations.backfill.watch import Key, Watch
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES

Ending = Literal["loaded", "unchanged", "failed", "cancelled", "unfinished"]


@dataclass(frozen=True)
class Verdict:
    """One month in the end.

    Attributes:
        service: its name.
        month: the month.
        ending: ``loaded`` and ``unchanged`` are in place; ``unfinished`` may be one day.
        rows: its rows in the table, if it is in place.
        reason: why it is not, if it is not.
    """

    service: str
    month: Month
    ending: Ending
    rows: int = 0
    reason: str = ""

    @property
    def is_in_place(self) -> bool:
        """Whether the table holds the month, and Dagster knows it."""
        return self.ending in ("loaded", "unchanged")


def give_verdicts(instance: dg.DagsterInstance, watch: Watch) -> list[Verdict]:
    """What became of every month that was waited for, by service and month."""
    attempts = watch.last_attempts()
    failed = {one.run_id: one for one in attempts.values() if one.outcome != "unfinished"}
    reasons = {run_id: read_reasons(instance, attempt) for run_id, attempt in failed.items()}
    unattended = set(watch.unattended())
    broken = {name: read_broken(instance, SERVICES[name]) for name in {name for name, _ in watch.wanted}}
    order = list(SERVICES)
    return [
        _broken(key, watch, broken[key[0]].get(str(key[1]), ()))
        or _verdict(key, watch, attempts.get(key), reasons, attended=key not in unattended)
        for key in sorted(watch.wanted, key=lambda key: (order.index(key[0]), key[1]))
    ]


def _broken(key: Key, watch: Watch, checks: Sequence[str]) -> Verdict | None:
    """The verdict on a month that is in the table, but not as its file."""
    arrival = watch.arrivals.get(key)
    if not checks or arrival is None or not arrival.is_recorded:
        return None
    return Verdict(*key, "failed", arrival.rows, f"it is in the table and did not pass {', '.join(checks)}")


def _verdict(
    key: Key, watch: Watch, attempt: Attempt | None, reasons: Mapping[str, Reasons], *, attended: bool
) -> Verdict:
    arrival = watch.arrivals.get(key)
    if arrival and arrival.is_recorded:
        return Verdict(*key, "unchanged" if arrival.unchanged else "loaded", arrival.rows)
    if attended:
        return Verdict(*key, "unfinished", reason="it is still waited for")
    if attempt is None:
        return Verdict(*key, "cancelled", reason="no run was made for it")
    reason = reasons[attempt.run_id].of(str(key[1]))
    if arrival:
        reason = f"it is in the table, but its run ended before that was recorded: {reason}"
    return Verdict(*key, "failed" if attempt.outcome == "failed" else "cancelled", reason=reason)


def all_in_place(verdicts: Sequence[Verdict]) -> bool:
    """Whether every month is in place."""
    return all(verdict.is_in_place for verdict in verdicts)
