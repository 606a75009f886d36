"""What a check finds, and how checks are run: side by side, each with a time of its own. Nothing is checked here."""

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
    """One thing that a check has to say.

    Attributes:
        state: a problem stops something; a warning may be meant so.
        what: what is the case, as a clause without a full stop.
        advice: how to mend it, as a sentence; empty when there is nothing to mend.
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
        examine: looks at it. It may raise: a ``TaxiError`` is a problem in its own words.
        seconds: after which no more is waited for it. What asks other machines has time-outs of its own, which are
            shorter; this one is for names that are never resolved, and the like.
    """

    subject: str
    examine: Examine
    seconds: float = 25.0


def ok(what: str) -> Finding:
    """Something is as it should be."""
    return Finding("ok", what)


def warning(what: str, advice: str) -> Finding:
    """Something may be meant so, and may not."""
    return Finding("warning", what, advice)


def problem(what: str, advice: str) -> Finding:
    """Something will not work."""
    return Finding("problem", what, advice)


def problem_of(error: TaxiError) -> Finding:
    """An error of the platform's own, told as a problem."""
    return problem(f"{error.subject}: {error.what}", error.advice)


def examined(checks: Sequence[Check], settings: Settings) -> Iterator[tuple[Check, Sequence[Finding]]]:
    """What all checks find, in their order; they run at the same time, so that slow ones wait together."""
    begun = time.monotonic()
    running = [(check, _begin(check, settings)) for check in checks]
    for check, (thread, found) in running:
        thread.join(max(0.0, begun + check.seconds - time.monotonic()))
        if thread.is_alive():
            # What was found until now is kept; what is still to come has no place to go.
            late = problem(
                f"no answer within {check.seconds:.0f} s", "Try again; if it lasts, something hangs that is asked."
            )
            yield check, [*found, late]
        else:
            yield check, list(found)


def _begin(check: Check, settings: Settings) -> tuple[threading.Thread, list[Finding]]:
    found: list[Finding] = []

    def run() -> None:
        try:
            for finding in check.examine(settings):
                found.append(finding)
        except TaxiError as error:
            found.append(problem_of(error))
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            what = f"{place}{(error.strerror or str(error)).lower()}"
            found.append(problem(what, "See whether it is there, and who may read it."))
        except Exception as error:  # a doctor that falls ill says so, and goes on
            found.append(problem(f"the check itself failed: {type(error).__name__}: {error}", "Please report it."))

    # As a daemon, so that a host that hangs does not keep the command from ending.
    thread = threading.Thread(target=run, name=check.subject, daemon=True)
    thread.start()
    return thread, found
