"""Dagster's daemons: whether those that the instance needs are alive, and what they complain of."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from taxi_platform.operations.doctor.dagster_home import is_ready, state_url
from taxi_platform.operations.doctor.findings import Finding, ok, problem, warning
from taxi_platform.settings import Settings, environment

NEVER = "no daemon has ever run here"
START = "Start it with `make dev` (or `dagster-daemon run`); schedules, sensors and backfills wait for it."


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the heartbeats, if there is a state that holds any: opening the instance would make one."""
    home = Path(environment().get("DAGSTER_HOME", ""))
    if not (home.is_absolute() and (home / "dagster.yaml").exists()):
        return
    url = state_url(settings)
    if url is None or not is_ready(url):
        yield warning(NEVER, START)
        return
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        yield from of(instance.get_daemon_statuses(), time.time())


def of(statuses: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """What the heartbeats say.

    Args:
        statuses: of every daemon that the instance needs, by name.
        now: in seconds, as ``time.time``.
    """
    silent = {name: status for name, status in statuses.items() if not status.healthy and not _errors(status)}
    for name, status in statuses.items():
        for error in _errors(status)[:1]:
            yield problem(f"{name.lower()} reports an error: {error}", "See what its process prints.")
    beats = [status.last_heartbeat.timestamp for status in silent.values() if status.last_heartbeat]
    if len(silent) == len(statuses):
        yield warning(f"no daemon runs; {_ago(now - max(beats))} ago one did" if beats else NEVER, START)
    elif silent:
        names = ", ".join(sorted(name.lower() for name in silent))
        yield problem(f"silent, while others run: {names}", "Restart `dagster dev` or dagster-daemon.")
    elif not any(map(_errors, statuses.values())):
        yield ok(f"{len(statuses)} daemons are alive: {', '.join(sorted(name.lower() for name in statuses))}")


def _errors(status: Any) -> Sequence[str]:
    errors = (status.last_heartbeat and status.last_heartbeat.errors) or ()
    return [error.message.strip() for error in errors]


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
