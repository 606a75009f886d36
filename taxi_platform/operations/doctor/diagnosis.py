"""All checks in the order of the report, and the report for people and for programs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from taxi_platform.operations.doctor import dagster_state, machine, servers
from taxi_platform.operations.doctor.findings import Check, Finding, State, run_checks
from taxi_platform.settings import invalid_settings, settings

Diagnosis = Sequence[tuple[str, Sequence[Finding]]]
Paint = Callable[[State, str], str]

CHECKS = (
    Check("installation", machine.examine_installation),
    Check("settings", machine.examine_settings),
    Check("data folder", machine.examine_data_folder),
    Check("source", servers.examine_source),
    Check("PostgreSQL", servers.examine_postgres),
    Check("embedded server", servers.examine_embedded),
    Check("Dagster's home", dagster_state.examine_home),
    Check("code location", dagster_state.examine_code_location, seconds=dagster_state.LOAD_SECONDS + 1),
    Check("daemons", dagster_state.examine_daemons),
    Check("ports", machine.examine_ports),
    Check("Google Cloud", servers.examine_cloud),
    Check("alerts", servers.examine_alerts),
)


def diagnose(checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """Run the checks and return their findings by subject; subjects without findings are left out.

    Settings that are not valid are the only findings, because every other check needs the settings.
    """
    errors = invalid_settings()
    if errors:
        return [("settings", list(machine.describe_invalid(errors)))]
    return [(check.subject, findings) for check, findings in run_checks(checks, settings()) if findings]


def report_lines(diagnosis: Diagnosis, redacted: Callable[[str], str], paint: Paint) -> Iterator[str]:
    """Yield the report for people: a line for each finding, and its advice on the next line.

    Args:
        diagnosis: the findings by subject.
        redacted: removes secrets from a text.
        paint: colours the word for a state.
    """
    width = max(len(subject) for subject, _ in diagnosis)
    for subject, findings in diagnosis:
        for finding in findings:
            yield f"{paint(finding.state, f'{finding.state:<7}')}  {subject:<{width}}  {_line(finding.what, redacted)}"
            if finding.advice:
                yield f"{'':<7}  {'':<{width}}  -> {_line(finding.advice, redacted)}"
    yield ""
    yield summarize(diagnosis)


def report_data(diagnosis: Diagnosis, redacted: Callable[[str], str]) -> Mapping[str, Any]:
    """Return the report for programs."""
    return {
        "problems": count(diagnosis, "problem"),
        "warnings": count(diagnosis, "warning"),
        "findings": [
            {"subject": subject, **{name: _line(text, redacted) for name, text in asdict(finding).items()}}
            for subject, findings in diagnosis
            for finding in findings
        ],
    }


def summarize(diagnosis: Diagnosis) -> str:
    """Return the whole report in one line."""
    problems, warnings = count(diagnosis, "problem"), count(diagnosis, "warning")
    if not problems and not warnings:
        return "Everything is in order."
    return f"{_number(problems, 'problem')}, {_number(warnings, 'warning')}; everything else is in order."


def count(diagnosis: Diagnosis, state: State) -> int:
    """Return the number of findings with a state."""
    return sum(finding.state == state for _, findings in diagnosis for finding in findings)


def _number(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _line(text: str, redacted: Callable[[str], str]) -> str:
    return " ".join(redacted(text).split())
