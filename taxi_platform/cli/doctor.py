"""``taxi doctor``: the report in a terminal, or as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from taxi_platform.operations.doctor import Diagnosis
from taxi_platform.operations.doctor.diagnosis import diagnose
from taxi_platform.redaction import redact
from taxi_platform.settings import secrets

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def run_doctor(*, as_json: bool) -> bool:
    """Run all checks and print their findings, as lines or as JSON; return whether everything is in order."""
    report = report_data(diagnose())
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _print(report)
    return report["problems"] == 0


def report_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return what ``--json`` prints, without secrets."""
    hidden = list(secrets())
    findings = [
        {"subject": subject, **{name: " ".join(redact(text, hidden).split()) for name, text in asdict(finding).items()}}
        for subject, found in diagnosis
        for finding in found
    ]
    counts = {f"{state}s": sum(one["state"] == state for one in findings) for state in ("problem", "warning")}
    return {**counts, "findings": findings}


def _print(report: Mapping[str, Any]) -> None:
    """Print a line for each finding, its advice on the next line, and a summary."""
    width = max(len(finding["subject"]) for finding in report["findings"])
    for finding in report["findings"]:
        state = click.style(f"{finding['state']:<7}", fg=_COLOURS[finding["state"]])
        click.echo(f"{state}  {finding['subject']:<{width}}  {finding['what']}")
        if finding["advice"]:
            click.echo(f"{'':<7}  {'':<{width}}  -> {finding['advice']}")
    counts = {noun: report[noun] for noun in ("problems", "warnings")}
    parts = (f"{number or 'no'} {noun[:-1] if number == 1 else noun}" for noun, number in counts.items())
    everything = f"{', '.join(parts)}; everything else is" if any(counts.values()) else "Everything is"
    click.echo(f"\n{everything} in order.")
