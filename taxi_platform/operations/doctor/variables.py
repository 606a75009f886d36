"""The settings as they were written: values that mean nothing, names that are none, lines of ``.env`` that are lost."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from taxi_platform.errors import TaxiError
from taxi_platform.operations.doctor.findings import Finding, ok, problem, problem_of, warning
from taxi_platform.settings import PROJECT, Settings, dotenv, environment, field_variables
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SERVICES

# Set by the tests, and by the Compose file itself.
_OURS = re.compile(r"TAXI_(TEST_\w+|SCREENSHOT|CODE_HOST|CODE_PORT)")


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at values, then at names and lines."""
    try:
        for service in SERVICES.values():
            month_range(settings, service)
    except TaxiError as error:
        yield problem_of(error)
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    known = {*field_variables(), *re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE)}
    yield from unknown({**dotenv(), **environment()}, known)
    yield from unread(dotenv(), environment(), field_variables())
    chosen = sorted(name for name in field_variables() if environment().get(name))
    yield ok(f"set and valid: {', '.join(chosen)}" if chosen else "nothing is set, so the defaults hold")


def unknown(names: Collection[str], known: Collection[str]) -> Iterator[Finding]:
    """Names that look like settings and are none.

    Args:
        names: those of the environment and of ``.env``.
        known: those of all settings.
    """
    for name in sorted(names):
        if name in known or _OURS.fullmatch(name) or not name.upper().startswith(("TAXI_", "GCP_")):
            continue
        near = get_close_matches(name.upper(), known, n=1, cutoff=0.75)
        if near:
            yield warning(f"{name} is no setting", f"Did you mean {near[0]}?")
        elif name.startswith("TAXI_"):
            yield warning(f"{name} is no setting", "See .env.example for those that there are.")


def unread(
    file: Mapping[str, str | None], environment: Mapping[str, str], settings: Collection[str]
) -> Iterator[Finding]:
    """What ``.env`` says in vain.

    Args:
        file: its lines, with nothing for the value of a line that has no ``=``.
        environment: what counts in the end.
        settings: the variables that are settings; others in the file are none of our business.
    """
    for name, value in file.items():
        if value is None:
            yield warning(f"the line {name!r} of .env has no = and does nothing", "Write NAME=value, or remove it.")
        elif name in settings and environment.get(name, value) != value:
            yield warning(
                f"{name} is set in this shell, which wins over the other value in .env", f"Run `unset {name}`."
            )


def invalid(errors: Collection[TaxiError]) -> Iterator[Finding]:
    """Values that mean nothing, and what follows."""
    yield from map(problem_of, errors)
    yield problem("everything else was left unexamined, for it depends on the settings", "Mend them and ask again.")
