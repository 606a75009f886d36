"""Checks of Dagster: its home, the database of its state, the code location, the daemons.

They open the instance only where its tables are complete, because opening it would create them.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from taxi_platform.errors import TaxiError
from taxi_platform.operations.doctor import Finding, ok, problem, problem_of, warning
from taxi_platform.operations.doctor.machine import ACTIVATE
from taxi_platform.postgres.connection import connect, execute
from taxi_platform.postgres.server import as_of_state, state_server
from taxi_platform.postgres.state import database_exists, is_complete
from taxi_platform.settings import FILES, IS_CHECKOUT, Settings, environment

NEVER = "no daemon has ever run here"
START = "Start it with `taxi dev` (or `dagster-daemon run`); schedules, sensors and backfills need it."
LOAD_SECONDS = 60
OLD_MODULES = "taxi_platform.instance"  # as version 0.1 named the modules of the storage and the run launcher

_LOAD = """
import json, sys
try:
    from taxi_platform.definitions import defs
    loaded = defs().get_repository_def()
except Exception as error:
    while error.__cause__:  # Dagster lists the modules around the error of one of them
        error = error.__cause__
    sys.exit(f"{type(error).__name__}: {error}".strip())
print(json.dumps({
    "assets": len(loaded.asset_graph.get_all_asset_keys()), "jobs": len(loaded.job_names),
    "schedules": len(loaded.schedule_defs), "sensors": len(loaded.sensor_defs),
}))
"""


def examine_home(settings: Settings) -> Iterator[Finding]:
    """Check the folder, then the database of the state."""
    yield check_home(environment().get("DAGSTER_HOME", ""), settings.data_dir / "dagster", FILES / "dagster.yaml")
    yield check_state(settings)


def check_home(named: str, expected: Path, config: Path) -> Finding:
    """Check that ``DAGSTER_HOME`` is the expected folder, with this project's configuration."""
    if not named and not IS_CHECKOUT:
        return ok(f"DAGSTER_HOME is not set, so `taxi` uses {expected}")
    if not named:
        return problem("DAGSTER_HOME is not set: Dagster forgets everything when a command ends", ACTIVATE)
    folder = Path(named)
    if not folder.is_absolute():
        return problem(f"DAGSTER_HOME={named} is not absolute, which Dagster refuses", ACTIVATE)
    own = folder / "dagster.yaml"
    link = f"ln -sf {quote(str(config))} {quote(named)}/"
    if not own.exists():
        return problem(
            f"{named} has no dagster.yaml, so its instance has no limits, no retries and another database",
            f"`mkdir -p {quote(named)} && {link}`, or `unset DAGSTER_HOME`. {ACTIVATE}",
        )
    if OLD_MODULES in own.read_text("utf-8", "replace"):
        return warning(
            f"{own} names modules of {OLD_MODULES}, which the next release removes",
            f"`{link}`, or write taxi_platform.orchestration instead.",
        )
    if not own.samefile(config):
        advice = f"If it should be: `{link}`. If the folder is another project's: `unset DAGSTER_HOME`. {ACTIVATE}"
        return warning(f"{own} is not this project's", advice)
    if folder.resolve() != expected.resolve():
        return warning(
            f"DAGSTER_HOME={named}, but TAXI_DATA_DIR leads to {expected}",
            f"If that is not intended: `unset DAGSTER_HOME`. {ACTIVATE}",
        )
    return ok(f"{named}, with this project's dagster.yaml")


def check_state(settings: Settings) -> Finding:
    """Check that the database of the state can be reached, and whether Dagster's tables are complete."""
    try:
        url = find_state(settings)
        if url is None:
            return ok("its state is in the embedded PostgreSQL; the first command that needs it creates or starts it")
        complete = has_tables(url)
    except TaxiError as error:
        subject, what, advice = as_of_state(error)
        return problem_of(TaxiError(f"its state: {subject}", what, advice))
    place = urlsplit(url)
    tables = "" if complete else "; its tables are missing or unfinished: the first command that uses it creates them"
    return ok(f"its state is in PostgreSQL at {place.hostname}:{place.port or 5432}{place.path}{tables}")


def find_state(settings: Settings) -> str | None:
    """Return the URL of the state; None while its embedded server does not run or has no such database yet."""
    server = state_server(settings)
    url = server.address_if_running()
    if url is None or not server.is_embedded:
        return url
    with connect(server.embedded.url()) as connection:
        return url if database_exists(connection, server.database) else None


def has_tables(url: str) -> bool:
    """Return whether Dagster's tables are complete, so that opening the instance creates nothing."""
    with connect(url) as connection, connection.cursor() as cursor:
        execute(connection, "reset search_path")  # to that of Dagster's connections, which the URL may choose
        return is_complete(cursor)


def examine_code_location(settings: Settings) -> Iterator[Finding]:
    """Load the definitions in their own process, as Dagster does, and count them."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _LOAD], cwd=FILES, capture_output=True, text=True, timeout=LOAD_SECONDS
        )
    except subprocess.TimeoutExpired:
        yield problem(f"the definitions did not load within {LOAD_SECONDS} s", "`dg check defs` shows where it hangs.")
        return
    if done.returncode == 0:
        counts = json.loads(done.stdout.splitlines()[-1])
        yield ok("the definitions load: " + ", ".join(f"{number} {noun}" for noun, number in counts.items()))
    else:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        yield problem(f"the definitions do not load: {last}", "`dg check defs` shows the whole error.")


def examine_daemons(settings: Settings) -> Iterator[Finding]:
    """Check the daemons' heartbeats."""
    home = Path(environment().get("DAGSTER_HOME", ""))
    if not (home.is_absolute() and (home / "dagster.yaml").exists()):
        return
    url = find_state(settings)
    if url is None or not has_tables(url):
        yield warning(NEVER, START)
        return
    with dg.DagsterInstance.get() as instance:
        yield from describe_daemons(instance.get_daemon_statuses(), time.time())


def describe_daemons(statuses: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """Yield what the heartbeats of the daemons that the instance needs mean, at this time in seconds."""
    silent = {name: status for name, status in statuses.items() if not status.healthy and not _errors(status)}
    for name, status in statuses.items():
        for error in _errors(status)[:1]:
            yield problem(f"{name.lower()} reports an error: {error}", "See the output of its process.")
    beats = [status.last_heartbeat.timestamp for status in silent.values() if status.last_heartbeat]
    if len(silent) == len(statuses):
        yield warning(f"no daemon runs; the last one did {_ago(now - max(beats))} ago" if beats else NEVER, START)
    elif silent:
        names = ", ".join(sorted(name.lower() for name in silent))
        yield problem(f"without a heartbeat while others run: {names}", "Restart `dagster dev` or dagster-daemon.")
    elif not any(map(_errors, statuses.values())):
        yield ok(f"{len(statuses)} daemons run: {', '.join(sorted(name.lower() for name in statuses))}")


def _errors(status: Any) -> Sequence[str]:
    errors = (status.last_heartbeat and status.last_heartbeat.errors) or ()
    return [error.message.strip() for error in errors]


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
