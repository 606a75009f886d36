"""``taxi doctor``: the report in a terminal, or as JSON."""

import json
from functools import partial

import click

from taxi_platform.operations.doctor.diagnosis import count, diagnose, report_data, report_lines
from taxi_platform.operations.doctor.findings import State
from taxi_platform.redaction import redact
from taxi_platform.settings import secrets

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def run_doctor(*, as_json: bool) -> bool:
    """Run all checks and print their findings.

    Args:
        as_json: print JSON.

    Returns:
        Whether there is no problem; warnings do not count.
    """
    diagnosis = diagnose()
    redacted = partial(redact, secrets=list(secrets()))
    if as_json:
        click.echo(json.dumps(report_data(diagnosis, redacted), indent=2, ensure_ascii=False))
    else:
        for line in report_lines(diagnosis, redacted, _paint):
            click.echo(line)
    return count(diagnosis, "problem") == 0


def _paint(state: State, text: str) -> str:
    return click.style(text, fg=_COLOURS[state])  # click removes the colours where the output is not a terminal
