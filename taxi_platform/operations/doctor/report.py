"""The doctor's report as people and as programs read it. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from taxi_platform.operations.doctor.findings import Finding, State

Diagnosis = Sequence[tuple[str, Sequence[Finding]]]
Paint = Callable[[State, str], str]


def lines(diagnosis: Diagnosis, redacted: Callable[[str], str], paint: Paint) -> Iterator[str]:
    """The report, a line for each finding and one below it for how to mend it.

    Args:
        diagnosis: what was found, by subject.
        redacted: takes secrets out of a text.
        paint: colours the word for a state.
    """
    width = max(len(subject) for subject, _ in diagnosis)
    for subject, findings in diagnosis:
        for finding in findings:
            yield f"{paint(finding.state, f'{finding.state:<7}')}  {subject:<{width}}  {_line(finding.what, redacted)}"
            if finding.advice:
                yield f"{'':<7}  {'':<{width}}  -> {_line(finding.advice, redacted)}"
    yield ""
    yield summary(diagnosis)


def for_programs(diagnosis: Diagnosis, redacted: Callable[[str], str]) -> Mapping[str, Any]:
    """The report for programs."""
    findings = [
        {"subject": subject, **{name: _line(text, redacted) for name, text in asdict(finding).items()}}
        for subject, found in diagnosis
        for finding in found
    ]
    return {
        "problems": count(diagnosis, "problem"),
        "warnings": count(diagnosis, "warning"),
        "findings": findings,
    }


def summary(diagnosis: Diagnosis) -> str:
    """All of it in one line."""
    problems, warnings = count(diagnosis, "problem"), count(diagnosis, "warning")
    if not problems and not warnings:
        return "All is well."
    return f"{_number(problems, 'problem')}, {_number(warnings, 'warning')}; the rest is well."


def count(diagnosis: Diagnosis, state: State) -> int:
    """How many findings are of a kind."""
    return sum(finding.state == state for _, findings in diagnosis for finding in findings)


def _number(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _line(text: str, redacted: Callable[[str], str]) -> str:
    return " ".join(redacted(text).split())
