"""What a check finds, and how checks are run: side by side, each with its own time limit. Nothing is checked here."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from taxi_platform.errors import TaxiError
from taxi_platform.settings import Settings

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        state: a problem stops something; a warning may be intended.
        what: what is the case, as a clause without a full stop.
        advice: how to fix it, as a sentence; empty when there is nothing to fix.
    """

    state: State
    what: str
    advice: str = ""


Examine = Callable[[Settings], Iterable[Finding]]
Diagnosis = Sequence[tuple[str, Sequence[Finding]]]
"""The findings by subject."""


@dataclass(frozen=True)
class Check:
    """One subject, the function that examines it, and its time limit in seconds.

    Requests to other machines have shorter timeouts of their own; the limit is for names that are never resolved.
    """

    subject: str
    examine: Examine
    seconds: float = 25.0


def ok(what: str) -> Finding:
    """Return a finding that something is as it should be."""
    return Finding("ok", what)


def warning(what: str, advice: str) -> Finding:
    """Return a finding that may be intended, or not."""
    return Finding("warning", what, advice)


def problem(what: str, advice: str) -> Finding:
    """Return a finding that something will not work."""
    return Finding("problem", what, advice)


def problem_of(error: TaxiError) -> Finding:
    """Return an error of the platform as a problem."""
    return problem(f"{error.subject}: {error.what}", error.advice)


def run_checks(checks: Sequence[Check], settings: Settings) -> Diagnosis:
    """Run the checks at the same time, so that slow ones wait together, and return their findings in their order."""
    started = time.monotonic()
    diagnosis: list[tuple[str, list[Finding]]] = [(check.subject, []) for check in checks]
    threads = [
        # Daemon threads, so that a host that hangs does not keep the command from ending.
        threading.Thread(target=_run, args=(check, settings, findings), daemon=True)
        for check, (_, findings) in zip(checks, diagnosis, strict=True)
    ]
    for thread in threads:
        thread.start()
    for check, thread, (_, findings) in zip(checks, threads, diagnosis, strict=True):
        thread.join(max(0.0, started + check.seconds - time.monotonic()))
        if thread.is_alive():
            advice = "Try again; if it happens again, a server hangs."
            findings.append(problem(f"no answer within {check.seconds:.0f} s", advice))
    return diagnosis


def _run(check: Check, settings: Settings, findings: list[Finding]) -> None:
    try:
        for finding in check.examine(settings):
            findings.append(finding)  # at once, because a later one may hang
    except TaxiError as error:
        findings.append(problem_of(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        what = f"{place}{(error.strerror or str(error)).lower()}"
        findings.append(problem(what, "Check that it exists, and who may read it."))
    except Exception as error:  # a check that fails must not hide the others
        findings.append(problem(f"the check itself failed: {type(error).__name__}: {error}", "Please report it."))
