"""``taxi status``: the state of every month of every service, as a grid for people or as JSON for programs."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from taxi_platform.ledger.states import MonthState, State, states_of
from taxi_platform.trips.months import Month, spans
from taxi_platform.trips.services import SERVICES

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Print = Callable[[str], object]
States = Mapping[str, Mapping[Month, MonthState]]
"""The state of every month, by service."""

# The letter of each state, so that nobody has to tell colours apart, and its colour.
_LETTERS: Mapping[State, tuple[str, str]] = {
    "materialized": ("M", "green"),
    "failed": ("F", "bold red"),
    "file changed": ("C", "bold yellow"),
    "in progress": ("P", "cyan"),
    "missing": (".", "dim"),
}


def show_status(output: Print, *, as_json: bool, ask_source: bool) -> None:
    """Print the state of every month.

    Raises:
        SourceUnreachable, AccessDenied: the source was to be asked and does not answer.
    """
    import dagster as dg

    from taxi_platform.ledger.backfills import daemon_is_alive
    from taxi_platform.ledger.reading import read_months

    with dg.DagsterInstance.get() as instance:
        ledger = read_months(instance, list(SERVICES.values()), ask_source=ask_source)
        states = states_of(ledger.months)
        if as_json:
            output(json.dumps(as_data(states, ledger.remarks, daemon=daemon_is_alive(instance)), indent=2))
            return
        _print_grid(states)
        for line in summary(states, ledger.remarks):
            output(line)


def as_data(states: States, remarks: Sequence[str], *, daemon: bool) -> dict[str, Any]:
    """Return what ``--json`` prints. ``docs/backfills.md`` describes it; the names do not change."""
    return {
        "daemon_is_alive": daemon,
        "remarks": list(remarks),
        "services": {
            name: {
                "rows": sum(state.rows for state in months.values()),
                "file_bytes": sum(state.file_bytes for state in months.values()),
                "last_run": _iso(_last_run(months.values())),
                "months": {str(month): _month_data(state) for month, state in months.items()},
            }
            for name, months in states.items()
        },
    }


def summary(states: States, remarks: Sequence[str]) -> list[str]:
    """Return the lines under the grid: the sums of each service, and the notes that the letters cannot show."""
    lines = [
        f"{name:<7}{sum(state.rows for state in months.values()):>14,} rows "
        f"{sum(state.file_bytes for state in months.values()) / 2**20:>10,.1f} MiB of files"
        f"   last run {_last_run_for_people(months)}"
        for name, months in states.items()
    ]
    noted: dict[tuple[str, str], list[Month]] = defaultdict(list)
    for name, months in states.items():
        for month, state in months.items():
            if state.note:
                noted[name, f"{state.state}: {state.note}"].append(month)
    lines += [f"{name} {spans(months)} {note}" for (name, note), months in noted.items()]
    return [*lines, *remarks]


def _month_data(state: MonthState) -> dict[str, Any]:
    return {
        "state": state.state,
        "rows": state.rows,
        "file_bytes": state.file_bytes,
        "run_id": state.run_id,
        "at": _iso(state.at),
        "note": state.note,
        "is_partition": state.is_partition,
    }


def _last_run(states: Iterable[MonthState]) -> datetime | None:
    return max((state.at for state in states if state.at), default=None)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _last_run_for_people(months: Mapping[Month, MonthState]) -> str:
    last = _last_run(months.values())
    return last.astimezone().strftime("%Y-%m-%d %H:%M") if last else "never"


def _print_grid(states: States) -> None:
    from rich.console import Console

    console = Console()
    console.print(grid(states))
    used = {state.state for months in states.values() for state in months.values()}
    legend = "  ".join(f"{letter} {state}" for state, (letter, _) in _LETTERS.items() if state in used)
    console.print(legend, highlight=False)


def grid(states: States) -> "Table":
    """Return a table with one row per year and service and one column per month; empty if it is not a partition."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("year")
    table.add_column("service")
    for month in range(1, 13):
        table.add_column(f"{month:02d}", justify="center")
    table.add_column("rows", justify="right")
    years = sorted({month.year for months in states.values() for month in months})
    for year in years:
        for number, (name, months) in enumerate(states.items()):
            of_year = [months.get(Month(year, month)) for month in range(1, 13)]
            rows = sum(state.rows for state in of_year if state)
            table.add_row("" if number else str(year), name, *map(_cell, of_year), f"{rows:,}")
    return table


def _cell(state: MonthState | None) -> "Text":
    from rich.text import Text

    return Text(*_LETTERS[state.state]) if state else Text("")
