"""``taxi backfill``: says what it will load and why, has it loaded, shows how it goes, and says what became of it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxi_platform.cli.progress import Show, progress
from taxi_platform.ledger.plan import Choice, Plan, make_plan, months_in, parse_services, parse_span
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import SERVICES, Service

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from taxi_platform.ledger.facts import Picture
    from taxi_platform.operations.backfill.verdicts import Verdict
    from taxi_platform.operations.backfill.watch import Watch

Say = Callable[[str], object]

LOOK_SECONDS = 0.5  # between looks at what has come into place
CHECK_SECONDS = 3.0  # between checks whether anybody works on what has not
SILENT_SECONDS = 150.0  # without a sign of the daemon, nor of a month: five heartbeats
DONE, NOT_DONE, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True)
class Wish:
    """What the command was asked for, as it was typed.

    Attributes:
        services: ``green``, ``green,yellow`` or ``all``.
        months: ``2019-03``, ``2019-01..2019-12`` or with an open end.
        choice: which of these months.
        newest_first: begin with the newest.
        dry_run: only say what would be done.
        ask_source: ask the source, too, which of the loaded months have changed.
    """

    services: str
    months: str
    choice: Choice = "missing"
    newest_first: bool = False
    dry_run: bool = False
    ask_source: bool = False


def run_backfill(wish: Wish, say: Say) -> int:
    """Do what was asked for.

    Returns:
        The exit status: ``DONE`` only when every month that was asked for is in place.

    Raises:
        InvalidRequest: there are no such services or months.
    """
    months = _months(wish)
    import dagster as dg

    from taxi_platform.ledger import backfills as queue
    from taxi_platform.ledger.facts import take_picture
    from taxi_platform.operations.backfill.launch import end_abandoned_runs
    from taxi_platform.operations.backfill.watch import Watch

    with dg.DagsterInstance.get() as instance:
        watch = Watch(instance)
        if not wish.dry_run:
            end_abandoned_runs(instance)
        picture = take_picture(instance, list(months), ask_source=wish.ask_source)
        plan = _plan(wish, months, picture)
        daemon = queue.daemon_is_alive(instance)
        _tell_plan(wish, plan, picture, say)
        if wish.dry_run:
            return DONE
        _wait_for(watch, plan, with_busy=daemon)
        try:
            (_through_daemon if daemon else _here)(instance, plan, watch, say)
        except KeyboardInterrupt:
            _tell_interrupted(plan, watch, say, daemon=daemon)
            return INTERRUPTED
        return _conclude(instance, plan, watch, say, daemon=daemon)


def _months(wish: Wish) -> Mapping[Service, Sequence[Month]]:
    from taxi_platform.trips.partitions import partition_months

    span = parse_span(wish.months)
    return {service: months_in(span, service, partition_months(service)) for service in parse_services(wish.services)}


def _plan(wish: Wish, months: Mapping[Service, Sequence[Month]], picture: "Picture") -> Plan:
    states = [picture.states[service.name][month] for service, asked in months.items() for month in asked]
    return make_plan(states, wish.choice, newest_first=wish.newest_first)


def _tell_plan(wish: Wish, plan: Plan, picture: "Picture", say: Say) -> None:
    for remark in picture.remarks:
        say(remark)
    for one in plan.planned:
        note = f"  {one.note}" if one.note else ""
        say(f"  {one.service.name:<7}{one.month}  {one.reason:<12}{note}".rstrip())
    say(f"{wish.services} {wish.months}: {_counted(len(plan.planned), 'month')} to load{_left_out(plan)}")


def _left_out(plan: Plan) -> str:
    parts = [f"{plan.loaded} loaded already"] if plan.loaded else []
    parts += [f"{count} {state}" for state, count in sorted((plan.others or {}).items())]
    parts += [f"{count} in progress ({who})" for who, count in sorted(Counter(one.note for one in plan.busy).items())]
    return f"; left out: {', '.join(parts)}" if parts else ""


def _wait_for(watch: "Watch", plan: Plan, *, with_busy: bool) -> None:
    for one in plan.planned:
        watch.want(one.service, one.month, tried_before=one.tried_before)
    for state in plan.busy if with_busy else ():
        watch.want(SERVICES[state.service], state.month)


def _through_daemon(instance: "DagsterInstance", plan: Plan, watch: "Watch", say: Say) -> None:
    from taxi_platform.operations.backfill.launch import ask_daemon

    if plan.planned:
        ids = ask_daemon(instance, plan)
        say(f"The daemon loads them, within half a minute: backfill {', '.join(ids)}")
    if plan.busy:
        say(f"Waiting for {_counted(len(plan.busy), 'month')} in progress, too.")
    with progress(len(watch.wanted), say) as show:
        _follow(instance, watch, show, say)


def _follow(instance: "DagsterInstance", watch: "Watch", show: Show, say: Say) -> None:
    """Look on until nobody works on what is not in place."""
    from taxi_platform.ledger import backfills as queue

    moved = checked = time.monotonic()
    while not watch.is_over:
        time.sleep(LOOK_SECONDS)
        arrived = watch.look()
        show(arrived)
        now = time.monotonic()
        moved = now if arrived else moved
        if now - checked < CHECK_SECONDS:
            continue
        checked = now
        if watch.pending and len(watch.unattended()) == len(watch.pending):
            show(watch.look())
            return
        heard = queue.heard_before(instance)
        if now - moved > SILENT_SECONDS and heard is not None and heard > SILENT_SECONDS:
            say(f"The daemon has been silent for {heard:.0f} s. It goes on once it is started: dagster-daemon run")
            return


def _here(instance: "DagsterInstance", plan: Plan, watch: "Watch", say: Say) -> None:
    """Load in this process, while a thread looks at what has come into place."""
    from taxi_platform.operations.backfill.launch import load_here

    if not plan.planned:
        return
    say("No daemon is running, so this process loads them.")
    done = threading.Event()
    with progress(len(watch.wanted), say) as show:

        def look() -> None:
            while not done.wait(LOOK_SECONDS):
                show(watch.look())

        looking = threading.Thread(target=look)
        looking.start()
        try:
            load_here(instance, plan)
        finally:
            done.set()
            looking.join()
        show(watch.look())


def _tell_interrupted(plan: Plan, watch: "Watch", say: Say, *, daemon: bool) -> None:
    watch.look()
    there = len(watch.wanted) - len(watch.pending)
    say(f"Interrupted. {there} of {_counted(len(watch.wanted), 'month')} are in place.")
    if daemon:
        say("The daemon goes on without this window. The same command shows the rest of it;")
        say("to end it, use the web UI: Runs, Backfills.")
    elif plan.force:
        say("They stay. Without --all, the same command loads what is not in place as its file.")
    else:
        say("They stay. The same command goes on with the others.")


def _conclude(instance: "DagsterInstance", plan: Plan, watch: "Watch", say: Say, *, daemon: bool) -> int:
    from taxi_platform.operations.backfill.verdicts import all_in_place, give_verdicts

    verdicts = give_verdicts(instance, watch)
    if verdicts:
        _summarize(verdicts, say)
    left = () if daemon else plan.busy
    if left:
        say(f"Not waited for, because no daemon is running: {_counted(len(left), 'month')} in progress.")
        say("Start it with dagster-daemon run; if nobody works on them any more, end their run in the web UI.")
    return DONE if all_in_place(verdicts) and not left else NOT_DONE


def _summarize(verdicts: Sequence["Verdict"], say: Say) -> None:
    counts = Counter(verdict.ending for verdict in verdicts)
    rows = sum(verdict.rows for verdict in verdicts if verdict.ending == "loaded")
    parts = [f"{counts['loaded']} loaded ({rows:,} rows)"]
    parts += [f"{counts[ending]} {word}" for ending, word in _WORDS.items() if counts[ending]]
    say(f"{_counted(len(verdicts), 'month')}: {', '.join(parts)}")
    for verdict in verdicts:
        if not verdict.is_in_place:
            say(f"  {verdict.service} {verdict.month} {verdict.ending}: {verdict.reason}")


_WORDS = {
    "unchanged": "there already, unchanged",
    "failed": "failed",
    "cancelled": "cancelled",
    "unfinished": "not finished",
}


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
