"""``taxi doctor``: the report in a terminal, or as JSON."""

import json
from functools import partial

import click

from taxi_platform.operations.doctor.checks import diagnosis
from taxi_platform.operations.doctor.findings import State
from taxi_platform.operations.doctor.report import count, for_programs, lines
from taxi_platform.redaction import redact
from taxi_platform.settings import secrets

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def run_doctor(*, as_json: bool) -> bool:
    """Examine everything and print what was found.

    Args:
        as_json: print JSON.

    Returns:
        Whether there is no problem; warnings do not count.
    """
    found = diagnosis()
    redacted = partial(redact, secrets=list(secrets()))
    if as_json:
        click.echo(json.dumps(for_programs(found, redacted), indent=2, ensure_ascii=False))
    else:
        for line in lines(found, redacted, _paint):
            click.echo(line)
    return count(found, "problem") == 0


def _paint(state: State, text: str) -> str:
    return click.style(text, fg=_COLOURS[state])  # click takes the colours off where no terminal is
