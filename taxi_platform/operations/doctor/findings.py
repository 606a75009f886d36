"""What a check finds, and how checks are run: side by side, each with its own time limit. Nothing is checked here."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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


@dataclass(frozen=True)
class Check:
    """One subject.

    Attributes:
        subject: its name, in a word or two.
        examine: examines it. It may raise: a ``TaxiError`` becomes a problem.
        seconds: the time limit. Requests to other machines have shorter timeouts of their own; this limit is for host
            names that are never resolved, and the like.
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


def run_checks(checks: Sequence[Check], settings: Settings) -> Iterator[tuple[Check, Sequence[Finding]]]:
    """Yield the findings of all checks in their order; the checks run at the same time, so slow ones wait together."""
    started = time.monotonic()
    running = [(check, _start(check, settings)) for check in checks]
    for check, (thread, findings) in running:
        thread.join(max(0.0, started + check.seconds - time.monotonic()))
        if thread.is_alive():
            # Findings so far are kept; later ones are ignored.
            late = problem(f"no answer within {check.seconds:.0f} s", "Try again; if it happens again, a server hangs.")
            yield check, [*findings, late]
        else:
            yield check, list(findings)


def _start(check: Check, settings: Settings) -> tuple[threading.Thread, list[Finding]]:
    findings: list[Finding] = []

    def run() -> None:
        try:
            for finding in check.examine(settings):
                findings.append(finding)
        except TaxiError as error:
            findings.append(problem_of(error))
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            what = f"{place}{(error.strerror or str(error)).lower()}"
            findings.append(problem(what, "Check that it exists, and who may read it."))
        except Exception as error:  # a check that fails must not hide the others
            findings.append(problem(f"the check itself failed: {type(error).__name__}: {error}", "Please report it."))

    # A daemon thread, so that a host that hangs does not keep the command from ending.
    thread = threading.Thread(target=run, name=check.subject, daemon=True)
    thread.start()
    return thread, findings
