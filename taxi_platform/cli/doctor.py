"""``taxi doctor``: the report in a terminal, or as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from taxi_platform.operations.doctor import Diagnosis, State
from taxi_platform.operations.doctor.diagnosis import diagnose
from taxi_platform.redaction import redact
from taxi_platform.settings import secrets

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def run_doctor(*, as_json: bool) -> bool:
    """Run all checks and print their findings, as lines or as JSON; return whether everything is in order."""
    diagnosis = diagnose()
    if as_json:
        click.echo(json.dumps(report_data(diagnosis), indent=2, ensure_ascii=False))
    else:
        for line in _report_lines(diagnosis):
            click.echo(line)  # without colours where the output is not a terminal
    return _count(diagnosis, "problem") == 0


def report_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {
        "problems": _count(diagnosis, "problem"),
        "warnings": _count(diagnosis, "warning"),
        "findings": [
            {"subject": subject, **{name: _line(text) for name, text in asdict(finding).items()}}
            for subject, findings in diagnosis
            for finding in findings
        ],
    }


def _report_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield a line for each finding, its advice on the next line, and a summary."""
    width = max(len(subject) for subject, _ in diagnosis)
    for subject, findings in diagnosis:
        for finding in findings:
            state = click.style(f"{finding.state:<7}", fg=_COLOURS[finding.state])
            yield f"{state}  {subject:<{width}}  {_line(finding.what)}"
            if finding.advice:
                yield f"{'':<7}  {'':<{width}}  -> {_line(finding.advice)}"
    yield ""
    counts = {state: _count(diagnosis, state) for state in ("problem", "warning")}
    if any(counts.values()):
        parts = (f"{number or 'no'} {state}{'' if number == 1 else 's'}" for state, number in counts.items())
        yield f"{', '.join(parts)}; everything else is in order."
    else:
        yield "Everything is in order."


def _count(diagnosis: Diagnosis, state: State) -> int:
    return sum(finding.state == state for _, findings in diagnosis for finding in findings)


def _line(text: str) -> str:
    """Return a text without secrets, in one line."""
    return " ".join(redact(text, list(secrets())).split())
