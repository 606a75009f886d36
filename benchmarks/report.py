"""Findings, and the table that shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("measured", "target", "result", "met", "details")


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        what: what was measured, and what it is compared with.
        target: the target; empty if there is none.
        result: the result; in most cases the median of all pairs, with the least and the greatest.
        met: whether the target is met; None if there is none.
        details: the figures behind the result.
    """

    what: str
    target: str
    result: str
    met: bool | None
    details: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of the finding's line, in the order of ``HEADINGS``."""
        met = "" if self.met is None else "yes" if self.met else "no"
        return self.what, self.target, self.result, met, self.details


def as_text(finding: Finding) -> str:
    """Return a finding as text for the terminal."""
    what, target, result, met, details = finding.cells
    outcome = f"   [target {target}: {'met' if met == 'yes' else 'MISSED'}]" if met else ""
    return f"{what}: {result}{outcome}\n    {details}"


def as_markdown(machine: str, findings: Sequence[Finding]) -> str:
    """Return all findings as a table, below a line about the machine."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(finding.cells for finding in findings)]
    return f"{machine}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
