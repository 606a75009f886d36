"""``taxi backfill``: prints its plan, starts the loads, shows the progress, and prints the outcome of each month."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Any

import click
import dagster as dg

from taxi_platform import definitions
from taxi_platform.bigquery.clients import cloud_of
from taxi_platform.ledger.events import Progress, daemon_is_alive
from taxi_platform.ledger.plan import Choice, Plan, make_plan, months_in, parse_services, parse_span, reason_of
from taxi_platform.ledger.reading import read_months
from taxi_platform.operations.backfill import (
    Follower,
    MonthOutcome,
    end_abandoned_runs,
    follow_to_the_end,
    load_here,
    request_backfills,
)
from taxi_platform.settings import settings
from taxi_platform.trips.keys import Destination
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import partition_months
from taxi_platform.trips.services import Service

Wanted = Mapping[Service, Sequence[Month]]

DONE, NOT_DONE, INTERRUPTED = 0, 1, 130
_WORDS = {
    "unchanged": "there already, unchanged",
    "failed": "failed",
    "cancelled": "cancelled",
    "unfinished": "not finished",
}


def run_backfill(
    services: str,
    months: str,
    *,
    choice: Choice = "missing",
    newest_first: bool = False,
    dry_run: bool = False,
    ask_source: bool = False,
    destination: Destination = "postgres",
    as_json: bool = False,
) -> int:
    """Run the command and return its exit status: ``DONE`` only if every month that was asked for is in place.

    With ``as_json``, standard output has one object and nothing else.
    """
    wanted = months_asked_for(services, months)
    if destination == "bigquery":
        cloud_of(settings().cloud)
    outcomes: Sequence[MonthOutcome] = []
    status = DONE
    with redirect_stdout(sys.stderr if as_json else sys.stdout), dg.DagsterInstance.get() as instance:
        follower = Follower(instance, destination)
        if not dry_run:
            end_abandoned_runs(instance)
        how: Mapping[str, Any] = {"destination": destination, "ask_source": ask_source, "inspect": True}
        plan, remarks = read_plan(instance, wanted, choice, newest_first=newest_first, **how)
        for remark in remarks:
            click.echo(remark)
        for record in plan.planned:
            click.echo(f"  {record.service.name:<7}{record.month}  {reason_of(record):<12}  {record.note}".rstrip())
        click.echo(f"{services} {months}: {_count(len(plan.planned), 'month')} to load{_left_out(plan)}")
        if not dry_run:
            status, outcomes = _carry_out(instance, plan, follower)
    if as_json:
        click.echo(json.dumps(as_data(plan, outcomes), indent=2))
    return status


def months_asked_for(services: str, months: str) -> Wanted:
    """Return the months that ``green,yellow`` and ``2019-01..2019-12`` name, or raise ``InvalidRequest``."""
    span = parse_span(months)
    return {service: months_in(span, service, partition_months(service)) for service in parse_services(services)}


def read_plan(
    instance: dg.DagsterInstance, wanted: Wanted, choice: Choice, *, newest_first: bool = False, **how: Any
) -> tuple[Plan, Sequence[str]]:
    """Return the plan for some months, and what to remark on it; ``how`` they are read is passed to ``read_months``."""
    ledger = read_months(instance, list(wanted), **how)
    records = [ledger.months[service.name][month] for service, in_span in wanted.items() for month in in_span]
    return make_plan(records, choice, newest_first=newest_first), ledger.remarks


def _carry_out(instance: dg.DagsterInstance, plan: Plan, follower: Follower) -> tuple[int, Sequence[MonthOutcome]]:
    """Load the plan, print the outcome of each month, and return the exit status and the outcomes."""
    daemon = daemon_is_alive(instance)
    for record in [*plan.planned, *(plan.in_progress if daemon else ())]:
        follower.follow(record)
    try:
        (_load_by_daemon if daemon else _load_here)(instance, plan, follower)
    except KeyboardInterrupt:
        _print_interrupted(plan, follower, daemon=daemon)
        return INTERRUPTED, follower.outcomes()
    outcomes = follower.outcomes()
    return _conclude(outcomes, 0 if daemon else len(plan.in_progress)), outcomes


def as_data(plan: Plan, outcomes: Sequence[MonthOutcome]) -> Mapping[str, Any]:
    """Return the plan, and the outcome of each month in it, as ``docs/backfills.md`` describes it."""
    return {
        "planned": [
            {"service": each.service.name, "month": str(each.month), "reason": reason_of(each), "note": each.note}
            for each in plan.planned
        ],
        "left_out": plan.left_out,
        "in_progress": [{"service": each.service.name, "month": str(each.month)} for each in plan.in_progress],
        "outcomes": [{**asdict(each), "month": str(each.month)} for each in outcomes],
    }


def _left_out(plan: Plan) -> str:
    """Return how many months are left out, the loaded ones first."""
    in_progress = Counter(record.note for record in plan.in_progress)
    others = {state: count for state, count in sorted(plan.left_out.items()) if state != "materialized"}
    loaded = plan.left_out.get("materialized")
    parts = [
        *([f"{loaded} loaded already"] if loaded else []),
        *(f"{count} {state}" for state, count in others.items()),
        *(f"{count} in progress ({who})" for who, count in sorted(in_progress.items())),
    ]
    return f"; left out: {', '.join(parts)}" if parts else ""


def _load_by_daemon(instance: dg.DagsterInstance, plan: Plan, follower: Follower) -> None:
    if plan.planned:
        ids = request_backfills(instance, definitions.defs(), plan)
        click.echo(f"The daemon loads them, starting within half a minute: backfill {', '.join(ids)}")
    if plan.in_progress:
        click.echo(f"Waiting for {_count(len(plan.in_progress), 'month')} in progress, too.")
    seconds = follow_to_the_end(instance, follower, _show)
    if seconds:
        click.echo(f"The daemon has written no heartbeat for {seconds:.0f} s. Start it to go on: dagster-daemon run")


def _load_here(instance: dg.DagsterInstance, plan: Plan, follower: Follower) -> None:
    """Load in this process, while a thread shows the progress."""
    if not plan.planned:
        return
    click.echo("No daemon is running, so this process loads them.")
    done = threading.Event()

    def follow() -> None:
        while not done.wait(0.5):
            _show(follower.poll())

    following = threading.Thread(target=follow)
    following.start()
    try:
        load_here(instance, definitions.defs(), plan)
    finally:
        done.set()
        following.join()
    _show(follower.poll())


def _print_interrupted(plan: Plan, follower: Follower, *, daemon: bool) -> None:
    follower.poll()
    loaded = len(follower.followed) - len(follower.pending)
    click.echo(f"Interrupted. {loaded} of {_count(len(follower.followed), 'month')} are in place.")
    if daemon:
        click.echo("The daemon goes on without this window. The same command shows the rest of it;")
        click.echo("to end it, use the web UI: Runs, Backfills.")
    elif plan.force:
        click.echo("They stay. Without --all, the same command loads only the months that are not in place.")
    else:
        click.echo("They stay. The same command goes on with the others.")


def _conclude(outcomes: Sequence[MonthOutcome], left_in_progress: int) -> int:
    """Print the outcome of the months and return the exit status."""
    if outcomes:
        counts = Counter(month.outcome for month in outcomes)
        rows = sum(month.rows for month in outcomes if month.outcome == "loaded")
        parts = [f"{counts['loaded']} loaded ({rows:,} rows)"]
        parts += [f"{counts[outcome]} {words}" for outcome, words in _WORDS.items() if counts[outcome]]
        click.echo(f"{_count(len(outcomes), 'month')}: {', '.join(parts)}")
    for month in outcomes:
        if not month.is_in_place:
            click.echo(f"  {month.service} {month.month} {month.outcome}: {month.reason}")
    if left_in_progress:
        click.echo(f"Not waited for, because no daemon is running: {_count(left_in_progress, 'month')} in progress.")
        click.echo("Start it with dagster-daemon run; if nobody works on them any more, end their run in the web UI.")
    all_in_place = all(month.is_in_place for month in outcomes)
    return DONE if all_in_place and not left_in_progress else NOT_DONE


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _show(loaded: Sequence[Progress]) -> None:
    """Print the months that were loaded since the last time."""
    for month in loaded:
        how = "there already" if month.unchanged else f"in {month.seconds:.2f} s"
        click.echo(f"  {month.service:<7}{month.month}  {month.rows:>12,} rows {how}")
