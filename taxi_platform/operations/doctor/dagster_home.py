"""Dagster's home and the database of its state: whether commands share one instance that outlives them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from taxi_platform.errors import TaxiError
from taxi_platform.operations.doctor.embedded import server_of
from taxi_platform.operations.doctor.findings import Finding, ok, problem, problem_of, warning
from taxi_platform.operations.doctor.postgres import reached
from taxi_platform.orchestration.database import SETTING
from taxi_platform.postgres.server import STATE_DATABASE, state_server
from taxi_platform.settings import PROJECT, Settings, environment

ACTIVATE = "Run `. .venv/bin/activate` in the project's folder, in every new shell."
_READY = "select to_regclass('runs') is not null and to_regclass('daemon_heartbeats') is not null"


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the folder, then at the database."""
    yield from home(environment(), settings.data_dir / "dagster", PROJECT / "dagster.yaml")
    yield from state(settings)


def home(environment: Mapping[str, str], expected: Path, config: Path) -> Iterator[Finding]:
    """Whether ``DAGSTER_HOME`` is a folder with this project's configuration.

    Args:
        environment: where ``DAGSTER_HOME`` may be set.
        expected: what the activation makes of the settings.
        config: the project's ``dagster.yaml``.
    """
    named = environment.get("DAGSTER_HOME", "")
    if not named:
        yield problem("DAGSTER_HOME is not set: Dagster forgets everything when a command ends", ACTIVATE)
        return
    folder = Path(named)
    if not folder.is_absolute():
        yield problem(f"DAGSTER_HOME={named} is not absolute, which Dagster refuses", ACTIVATE)
    elif not folder.is_dir():
        yield problem(f"DAGSTER_HOME={named} is no folder", f"`mkdir -p {named}`, or `unset DAGSTER_HOME`. {ACTIVATE}")
    elif not (folder / "dagster.yaml").exists():
        yield problem(
            f"{named} has no dagster.yaml, so its instance knows no limits, no retries and another database",
            f"`ln -s {config} {named}/dagster.yaml`, or `unset DAGSTER_HOME`. {ACTIVATE}",
        )
    elif not (folder / "dagster.yaml").samefile(config):
        yield warning(f"{named}/dagster.yaml is not this project's", f"If it is meant to be: ln -sf {config} {named}/")
    elif folder.resolve() != expected.resolve():
        yield warning(
            f"DAGSTER_HOME={named}, and of TAXI_DATA_DIR it would be {expected}",
            f"If that is not meant: `unset DAGSTER_HOME`. {ACTIVATE}",
        )
    else:
        yield ok(f"{named}, with this project's dagster.yaml")


def state(settings: Settings) -> Iterator[Finding]:
    """Whether the database of the state can be reached, and has Dagster's tables."""
    try:
        url = state_url(settings)
        if url is None:
            yield ok("its state is in the embedded PostgreSQL; the first command that needs it makes or starts it")
            return
        list(reached(url))
        ready = is_ready(url)
    except TaxiError as error:
        own = settings.dagster_postgres_url is not None
        parts = (error.subject, error.what, error.advice)
        subject, what, advice = (part.replace("TAXI_POSTGRES_URL", SETTING) if own else part for part in parts)
        yield problem_of(TaxiError(f"its state: {subject}", what, advice))
        return
    place = urlsplit(url)
    tables = "" if ready else "; its tables are made by the first command that needs them"
    yield ok(f"its state is in PostgreSQL at {place.hostname}:{place.port or 5432}{place.path}{tables}")


def state_url(settings: Settings) -> str | None:
    """Where the state is; nothing while that is an embedded server that does not run, or has no such database yet."""
    from taxi_platform.postgres.connection import connect, execute

    url = state_server(settings).address_if_running()
    if url is None or settings.dagster_postgres_url:
        return url
    with connect(server_of(settings).url()) as connection:
        known = execute(connection, "select from pg_database where datname = %s", (STATE_DATABASE,)).fetchone()
    return url if known else None


def is_ready(url: str) -> bool:
    """Whether Dagster's tables are there, so that opening the instance makes nothing."""
    from taxi_platform.postgres.connection import connect, execute

    with connect(url) as connection:
        return bool(execute(connection, _READY).fetchone() == (True,))
